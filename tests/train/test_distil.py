"""A student of fewer layers starts as its teacher's and comes nearer to it."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertModel

from models.encoders import Encoder
from models.errors import UserError
from models.labels import Schema
from models.modeling import joint_model
from models.predictor import load
from models.settings import load as load_settings
from train.__main__ import main
from train.dataset import Labelled
from train.distil import Distiller, Pad, distance, distil, divergence, shallow, standing_in
from train.publish import publish


@pytest.fixture
def teacher(tiny_encoder):
    """Four layers that differ."""
    config = copy.deepcopy(tiny_encoder.config)
    config.num_hidden_layers = 4
    torch.manual_seed(3)
    model = joint_model(BertModel(config), Schema())
    model.config.gozareh = {"format": 1, "window": 48, "overlap": 12, "claim_threshold": 0.5}
    return model.eval()


@given(st.integers(1, 24).flatmap(lambda deep: st.tuples(st.integers(1, deep), st.just(deep))))
def test_layers_stand_in_at_even_distances_for_different_ones_up_to_the_last(sizes):
    chosen = standing_in(*sizes)
    assert chosen == sorted(set(chosen))
    assert chosen[-1] == sizes[1] - 1


def test_as_many_layers_are_the_teacher_itself(teacher):
    whole = shallow(teacher, 4)
    batch = Pad(0)([{"input_ids": [2, 5, 6, 3]}, {"input_ids": [2, 3]}])
    with torch.no_grad():
        ours, theirs = (model.eval()(**batch, output_hidden_states=True) for model in (whole, teacher))
    assert float(distance(ours, theirs, batch["attention_mask"])) == pytest.approx(0, abs=1e-6)


def test_half_the_layers_are_the_second_and_the_fourth(teacher):
    half, layers = shallow(teacher, 2), teacher.bert.encoder.layer
    for own, other in zip(half.bert.encoder.layer, (layers[1], layers[3]), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(own.parameters(), other.parameters(), strict=True))
    assert half.config.num_hidden_layers == 2
    assert teacher.config.num_hidden_layers == 4


def test_a_students_embeddings_no_longer_learn(teacher):
    half = shallow(teacher, 2)
    assert not any(parameter.requires_grad for parameter in half.bert.embeddings.parameters())
    assert all(parameter.requires_grad for parameter in half.bert.encoder.parameters())


def test_more_layers_than_the_teacher_has_are_refused(teacher):
    with pytest.raises(UserError, match=r"distil.layers: 5, and the teacher has 4"):
        shallow(teacher, 5)


@given(st.lists(st.lists(st.floats(-5, 5), min_size=3, max_size=3), min_size=1, max_size=4), st.floats(0.5, 4))
def test_divergence_is_nought_from_itself_and_from_nothing_less(logits, softness):
    own = torch.tensor(logits)
    assert float(divergence(own, own, softness)) == pytest.approx(0, abs=1e-5)
    assert float(divergence(own.roll(1, dims=1), own, softness)) >= -1e-5


@pytest.fixture
def teach(workplace):
    """The command, with two layers of the folder "teacher", for so many steps."""
    weak = [{"id": f"a{i}-0", "text": "خبر امروز گفت" + " گفت" * i, "spans": [], "claim": "POLICY"} for i in range(12)]
    Path("weak.jsonl").write_text("".join(json.dumps(record) + "\n" for record in weak), encoding="utf-8")
    overrides = ["encoder.source=teacher", "annotate.output=weak.jsonl", "distil.layers=2", "train.written=[]", "gold=[]"]
    overrides += ["predict.overlap=12", "predict.window=48"]
    return lambda steps, *more: main(["--config", "configs/compact-half.yaml", *overrides, f"train.max_steps={steps}", *more])


def test_the_command_teaches_and_publishes(teach, teacher, tiny_tokenizer, tiny_report):
    publish(teacher, tiny_tokenizer, Path("teacher"), report=tiny_report)
    assert teach(steps=3) == 0
    student = load("runs/compact-half/published", device="cpu")
    assert student.engine.model.config.num_hidden_layers == 2
    assert next(student.predict(["خبر امروز گفت"])).sentences


def test_a_students_checkpoints_are_saved_as_asked(teach, teacher, tiny_tokenizer, tiny_report, monkeypatch):
    publish(teacher, tiny_tokenizer, Path("teacher"), report=tiny_report)
    saved = []
    monkeypatch.setattr("train.distil.Distiller._save_checkpoint", lambda trainer, *_, **__: saved.append(trainer.state.global_step))
    assert teach(4, "train.evaluations=1", "train.save_steps=2") == 0
    assert saved == [2, 4]


def test_a_student_that_is_resumed_in_its_second_epoch_is_the_same(teach, teacher, tiny_tokenizer, tiny_report, monkeypatch):
    publish(teacher, tiny_tokenizer, Path("teacher"), report=tiny_report)
    run, save = [10, "train.batch_size=4", "train.save_steps=7", "train.evaluations=1"], Distiller._save_checkpoint
    last = Path("runs/compact-half/checkpoints/checkpoint-10/model.safetensors")
    assert teach(*run) == 0
    whole = last.read_bytes()
    shutil.rmtree("runs/compact-half")

    def save_and_stop(trainer, *args, **kwargs):
        save(trainer, *args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Distiller, "_save_checkpoint", save_and_stop)
        assert teach(*run) == 130
    assert not last.exists()
    assert teach(*run) == 0
    assert last.read_bytes() == whole


def test_a_student_that_is_lost_is_told_of_at_its_step(teach, teacher, tiny_tokenizer, tiny_report, monkeypatch, capsys):
    publish(teacher, tiny_tokenizer, Path("teacher"), report=tiny_report)
    losses = iter([0.0, float("nan")])
    monkeypatch.setattr("train.distil.distance", lambda student, *_: student.logits.sum() * next(losses))
    assert teach(steps=4) == 2
    assert "step 2: the student's loss is nan; lower train.learning_rate" in capsys.readouterr().err


def test_more_than_one_process_is_refused(tiny_encoder, tiny_tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("train.processes.processes", lambda: SimpleNamespace(num_processes=2))
    run, data = load_settings("configs/compact-half.yaml"), Labelled(Schema(), [], [], {})
    with pytest.raises(UserError, match=r"distil: a student learns in one process, and there are 2"):
        distil(run, Encoder(tiny_encoder, tiny_tokenizer, "tiny", "mit"), data, tmp_path)


def test_a_student_of_a_retrained_teacher_learns_anew(teach, teacher, tiny_tokenizer, tiny_report):
    marks = []
    for _ in range(2):
        publish(teacher, tiny_tokenizer, Path("teacher"), report=tiny_report)
        assert teach(steps=1) == 0
        marks.append(Path("runs/compact-half/checkpoints/fingerprint").read_text())
        teacher.classifier.bias.data += 0.5
    assert marks[0] != marks[1]
