"""A step is the same in any number of passes; what goes wrong in one is said with its sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import TrainerCallback

from models import settings
from models.encoders import Encoder
from models.errors import UserError
from models.labels import Schema
from models.modeling import GozarehModel, joint_model
from models.records import read_examples
from models.settings import ReviewSettings, TrainSettings
from train.dataset import split_by_article
from train.fit import fit
from train.room import check_room, room
from train.trainer import parameter_groups

EXAMPLES = [e for e in read_examples("seeds/gold.jsonl") if e.claim != "NONE"]  # here only as something labelled to fit
TRAINING, HELD_OUT = split_by_article(EXAMPLES)


class Losses(TrainerCallback):
    """What is logged, a loss a step."""

    def __init__(self):
        self.losses = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.losses.append(logs["loss"])


@pytest.fixture
def run():
    train = ["train.max_steps=4", "train.evaluations=1", "train.logging_steps=1", "train.precision=fp32", "train.keep=last"]
    return settings.load("configs/tiny.yaml", [*train, "predict.overlap=16", "predict.window=64"])


@pytest.fixture
def encoder(tiny_encoder, tiny_tokenizer, monkeypatch):
    """Without dropout, so that ways of computing can be compared."""
    monkeypatch.setattr(tiny_encoder.config, "hidden_dropout_prob", 0.0)
    monkeypatch.setattr(tiny_encoder.config, "attention_probs_dropout_prob", 0.0)
    return Encoder(tiny_encoder, tiny_tokenizer, "tiny", "mit")


def fitted(run, encoder, folder, **train):
    losses = Losses()
    run = replace(run, train=replace(run.train, **train))
    model = fit(run, encoder, TRAINING, HELD_OUT, folder, callbacks=[losses]).model
    return losses.losses, model.state_dict()


def test_the_losses_do_not_depend_on_how_they_are_computed(run, encoder, tmp_path):
    expected, weights = fitted(run, encoder, tmp_path / "packed")
    assert len(expected) == 4
    for name, changes in {"padded": {"packing": False}, "passes": {"tokens": 200}, "both": {"packing": False, "tokens": 300}}.items():
        losses, others = fitted(run, encoder, tmp_path / name, **changes)
        assert losses == pytest.approx(expected, rel=1e-4), name
        for key, value in weights.items():
            torch.testing.assert_close(others[key], value, rtol=1e-2, atol=2e-3, msg=f"{name} {key}")


def test_without_dropout_a_second_reading_changes_nothing(run, encoder, tmp_path):
    expected, weights = fitted(run, encoder, tmp_path / "once")
    for name, changes in {"packed": {}, "padded": {"packing": False}, "passes": {"tokens": 200}, "one by one": {"tokens": 1}}.items():
        losses, others = fitted(run, encoder, tmp_path / name, consistency=5.0, **changes)
        assert losses == pytest.approx(expected, rel=1e-4), name
        for key, value in weights.items():
            torch.testing.assert_close(others[key], value, rtol=1e-2, atol=2e-3, msg=f"{name} {key}")


def test_with_dropout_readings_differ_and_that_counts(run, tiny_encoder, tiny_tokenizer, tmp_path):
    encoder = Encoder(tiny_encoder, tiny_tokenizer, "tiny", "mit")
    little, more = (fitted(run, encoder, tmp_path / str(weight), consistency=weight)[0] for weight in (1.0, 1000.0))
    assert more[0] > little[0] + 0.1


def test_out_of_memory_means_more_passes_of_the_same_step(run, encoder, tmp_path, monkeypatch, caplog):
    expected, _ = fitted(run, encoder, tmp_path / "whole")
    forward = GozarehModel.forward

    def small_card(self, input_ids=None, **kwargs):
        output = forward(self, input_ids, **kwargs)
        if self.training and input_ids.numel() > 400:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return output

    monkeypatch.setattr(GozarehModel, "forward", small_card)
    losses, _ = fitted(run, encoder, tmp_path / "parts")
    assert losses == pytest.approx(expected, rel=1e-4)
    assert "out of memory at" in caplog.text
    assert "more passes a step" in caplog.text


def test_a_sentence_that_memory_cannot_hold(run, encoder, tmp_path, monkeypatch):
    def no_card(self, *args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(GozarehModel, "forward", no_card)
    with pytest.raises(UserError, match=r"tokens in one pass; lower predict\.window"):
        fitted(run, encoder, tmp_path)


def test_a_loss_that_is_no_number_names_its_sentences_and_leaves_no_checkpoint(run, encoder, tmp_path, monkeypatch):
    forward = GozarehModel.forward
    calls = []

    def broken(self, *args, **kwargs):
        output = forward(self, *args, **kwargs)
        if self.training:
            calls.append(1)
            output.loss = output.loss * (float("nan") if len(calls) == 2 else 1)
        return output

    monkeypatch.setattr(GozarehModel, "forward", broken)
    with pytest.raises(UserError, match=r"^step 2: the loss of these sentences is nan: .*; look at them, or lower train") as caught:
        fitted(run, encoder, tmp_path, save_steps=2)
    named = str(caught.value).split(": ")[2].split(";")[0].split(", ")
    assert len(named) > 5
    assert set(named) <= {example.id for example in TRAINING}
    assert not list(tmp_path.glob("checkpoint-2"))


def test_too_few_sentences_for_the_processes(run, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.TrainingArguments.world_size", 5)
    with pytest.raises(UserError, match="3 sentences a step are too few for 5 processes"):
        fitted(run, encoder, tmp_path, batch_size=3)


def test_checkpoints_between_evaluations(run, encoder, tmp_path):
    saved = []

    class Saved(TrainerCallback):
        def on_save(self, args, state, control, **kwargs):
            saved.append(state.global_step)

    fit(replace(run, train=replace(run.train, save_steps=1, keep="best")), encoder, TRAINING, HELD_OUT, tmp_path, callbacks=[Saved()])
    assert saved == [1, 2, 3, 4]


def test_a_log_that_is_not_installed(run, encoder, tmp_path):
    with pytest.raises(UserError, match=r"train\.report_to: tensorbord is not installed.*pip install tensorbord"):
        fitted(run, encoder, tmp_path, report_to=("tensorbord",))


def test_a_tensorboard_gets_each_loss(run, encoder, tmp_path, monkeypatch):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    losses, _ = fitted(run, encoder, tmp_path / "c", report_to=("tensorboard",))
    (events,) = tmp_path.rglob("events.out.tfevents.*")
    assert events.is_relative_to(tmp_path / "c")  # with the checkpoints
    log = accumulator.EventAccumulator(str(events.parent))
    log.Reload()
    assert [scalar.value for scalar in log.Scalars("train/loss")] == pytest.approx(losses, rel=1e-3)
    assert log.Scalars("eval/span_f1")


def test_deterministic_mode_is_torchs(run, encoder, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("transformers.trainer.enable_full_determinism", asked.append)
    fitted(run, encoder, tmp_path, deterministic=True)
    assert asked == [run.seed]


def test_lower_layers_learn_more_slowly(tiny_encoder):
    model = joint_model(tiny_encoder, Schema())
    groups = parameter_groups(model, TrainSettings(learning_rate=1e-4, head_learning_rate=1e-3, layer_decay=0.5, weight_decay=0.1))
    rate = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    assert rate[id(model.classifier.weight)] == (1e-3, 0.1)
    assert rate[id(model.classifier.bias)] == (1e-3, 0.0)
    assert rate[id(model.bert.encoder.layer[0].output.dense.weight)] == (1e-4, 0.1)
    assert rate[id(model.bert.embeddings.word_embeddings.weight)] == (0.5e-4, 0.1)
    assert len(rate) == len(list(model.parameters()))


# --- room for what a run writes ---


def test_a_full_disk_is_found_before_training(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    needed = room(run, 10_000_000)
    assert needed == 10_000_000 * (12 * 2 + 6)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": needed - 1}))
    with pytest.raises(UserError, match=r"runs/tiny: 0\.3 GB of its disk are free, and the run needs 0\.3; make room"):
        check_room(run, 10_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": needed}))
    check_room(run, 10_000_000)


def test_a_folder_that_cannot_be_written_is_found_before_training(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match="runs/tiny: cannot be written: Not a directory"):
        check_room(run, 1)


def test_stages_need_more_room(run):
    staged = replace(run, review=replace(run.review, epochs=1), self_training=replace(run.self_training, rounds=1))
    assert room(staged, 1) == 12 * (3 + 1) + 6
    assert room(replace(staged, train=replace(run.train, keep="best")), 1) == 12 * (6 + 1) + 6
    assert room(replace(staged, review=replace(staged.review, runs=3)), 1) == 12 * (5 + 1) + 6
    assert room(replace(run, review=ReviewSettings(epochs=1, runs=3, network="first")), 1) == 12 * (3 + 1) + 6
