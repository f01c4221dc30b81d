from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from unittest.mock import Mock

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from transformers import BertModel, TrainerCallback, TrainingArguments

import annotate.functions.base
import train.fit
from models import settings
from models.encoders import Encoder
from models.errors import UserError
from models.predictor import Predictor
from models.records import read_examples, write_examples
from models.settings import SEEDS, EncoderSettings
from train.compare import on_unseen
from train.cross_validate import leave_one_out
from train.dataset import split_by_article
from train.fit import as_stored, encoder_of, fingerprint, fit

EXAMPLES = [e for e in read_examples("seeds/gold.jsonl") if e.claim != "NONE"]  # here only as something labelled to fit


@pytest.fixture
def run():
    return settings.load("configs/tiny.yaml", ["train.max_steps=4", "train.evaluations=2", "predict.overlap=16", "predict.window=64"])


@pytest.fixture
def encoder(tiny_encoder, tiny_tokenizer):
    return Encoder(tiny_encoder, tiny_tokenizer, "tiny", "mit")


@pytest.fixture
def poolerless(tiny_encoder, tiny_tokenizer, tmp_path):
    """A folder with an encoder that has no pooler."""
    BertModel(tiny_encoder.config, add_pooling_layer=False).save_pretrained(tmp_path / "poolerless")
    tiny_tokenizer.save_pretrained(tmp_path / "poolerless")
    return tmp_path / "poolerless"


def test_what_is_chosen_is_what_was_measured(run, encoder, tmp_path):
    training, held_out = split_by_article(EXAMPLES)
    fitted = fit(run, encoder, training, held_out, tmp_path / "c")
    scores = {entry["step"]: entry["eval_score"] for entry in fitted.history if "eval_score" in entry}
    assert set(scores) == {2, 4}
    assert scores[fitted.best_step] == max(scores.values())
    assert fitted.model.config.gozareh == {"format": 1, "window": 64, "overlap": 16, "claim_threshold": 0.5}
    assert not fitted.model.training


def test_the_held_out_articles_are_read_so_often_and_at_the_end(run, encoder, tmp_path):
    training, held_out = split_by_article(EXAMPLES)
    run = replace(run, train=replace(run.train, max_steps=5, evaluations=2))
    history = fit(run, encoder, training, held_out, tmp_path / "c").history
    assert [entry["step"] for entry in history if "eval_score" in entry] == [3, 5]


def test_the_same_seed_gives_the_same_weights(run, encoder, tmp_path):
    training, held_out = split_by_article(EXAMPLES)
    one, two = (fit(run, encoder, training, held_out, tmp_path / name).model.state_dict() for name in "ab")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_pooler_that_is_made_up_is_made_by_the_seed(run, poolerless):
    run = replace(run, encoder=EncoderSettings(str(poolerless)))
    one, two, other = (encoder_of(of, []).model.pooler.dense.weight for of in (run, run, run.reseeded(1)))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_the_highest_seed_has_one_for_the_second_process_too(run, encoder, tmp_path, monkeypatch):
    training, held_out = split_by_article(EXAMPLES)
    monkeypatch.setattr(TrainingArguments, "process_index", 1)
    monkeypatch.setattr(train.fit.JointTrainer, "train", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        fit(replace(run, seed=SEEDS - 1), encoder, training, held_out, tmp_path / "c")


def test_what_is_stored_is_on_the_cpu_with_its_buffers(tiny_model):
    model = copy.deepcopy(tiny_model)
    buffers = [(module, name, value) for module in model.modules() for name, value in module._buffers.items() if value is not None]
    for module, name, value in buffers:  # tensors without numbers, which claim to be where there may be no device
        module._buffers[name] = FakeTensor(FakeTensorMode(), value.to("meta"), torch.device("cuda:0"))
    assert {buffer.device.type for buffer in model.buffers()} == {"cuda"}
    assert {buffer.device.type for buffer in as_stored(model).buffers()} == {"cpu"}


class Stop(TrainerCallback):
    """Pulls the plug after the second step's checkpoint."""

    def on_save(self, args, state, control, **kwargs):
        raise KeyboardInterrupt


class Count(TrainerCallback):
    """Which steps are taken."""

    def __init__(self):
        self.steps = []

    def on_step_end(self, args, state, control, **kwargs):
        self.steps.append(state.global_step)


def test_an_interrupted_run_goes_on_where_it_was(run, encoder, tmp_path):
    training, held_out = split_by_article(EXAMPLES)
    whole = fit(run, encoder, training, held_out, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(run, encoder, training, held_out, tmp_path / "parts", callbacks=[Stop()])
    count = Count()
    resumed = fit(run, encoder, training, held_out, tmp_path / "parts", callbacks=[count])
    assert count.steps == [3, 4]
    assert resumed.best_step == whole.best_step
    for (name, a), b in zip(whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


def test_checkpoints_of_other_data_are_not_taken_up(run, encoder, tmp_path):
    training, held_out = split_by_article(EXAMPLES)
    fit(run, encoder, training, held_out, tmp_path / "c")
    count = Count()
    fit(run, encoder, training[:-1], held_out, tmp_path / "c", callbacks=[count])
    assert count.steps == [1, 2, 3, 4]


@pytest.mark.parametrize("part", ["embeddings.word_embeddings", "pooler.dense"])
def test_checkpoints_of_another_network_of_that_name_are_not_taken_up(run, encoder, tmp_path, part):
    training, held_out = split_by_article(EXAMPLES)
    fit(run, encoder, training, held_out, tmp_path / "c")
    count = Count()
    retrained = copy.deepcopy(encoder.model)
    with torch.no_grad():
        retrained.get_submodule(part).weight[7, 0] += 0.5
    fit(run, replace(encoder, model=retrained), training, held_out, tmp_path / "c", callbacks=[count])
    assert count.steps == [1, 2, 3, 4]


def test_an_encoder_without_a_pooler_goes_on_when_it_is_loaded_again(run, poolerless, tmp_path):
    run = replace(run, encoder=EncoderSettings(str(poolerless)))
    training, held_out = split_by_article(EXAMPLES)
    fit(run, encoder_of(run, training), training, held_out, tmp_path / "c")
    count = Count()
    fit(run, encoder_of(run, training), training, held_out, tmp_path / "c", callbacks=[count])
    assert 1 not in count.steps


@pytest.mark.parametrize("setting", ["encoder.source", "review.network"])
def test_a_folder_counts_by_its_weights_where_no_network_is_at_hand(run, setting, model_folder):
    section, name = setting.split(".")
    of_run = getattr(run, section)
    run = replace(run, **{section: replace(of_run, **{name: str(model_folder)} | ({"epochs": 1} if section == "review" else {}))})
    before = fingerprint(run, None)
    (model_folder / "README.md").write_text("a card")
    assert fingerprint(run, None) == before
    weights = model_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert fingerprint(run, None) != before


def test_an_edited_lexicon_makes_another_run(run, monkeypatch, tmp_path):
    """Names for the noisy copies are made of it."""
    monkeypatch.setattr(annotate.functions.base, "LEXICONS", shutil.copytree(annotate.functions.base.LEXICONS, tmp_path / "lexicons"))
    monkeypatch.setattr(train.fit, "_code", train.fit._code.__wrapped__)  # each time anew
    before = fingerprint(run, None)
    with (tmp_path / "lexicons/surnames.txt").open("a", encoding="utf-8") as surnames:
        surnames.write("تازه\n")
    assert fingerprint(run, None) != before


def test_no_article_is_read_by_a_model_that_saw_it(run, tiny_model, tiny_tokenizer):
    seen = []

    def read(of_seed, training, held_out, unseen):
        seen.append((of_seed.seed, {e.article for e in training}, {e.article for e in held_out}, {e.article for e in unseen}))
        return Predictor.of(tiny_model, tiny_tokenizer, of_seed.predict).read([e.text for e in unseen])

    result = leave_one_out(run, EXAMPLES, EXAMPLES, 2, read)
    assert len(seen) == 10
    articles = {e.article for e in EXAMPLES}
    for _, training, held_out, unseen in seen:
        assert len(held_out) == len(unseen) == 1
        assert not training & (held_out | unseen)
        assert training | held_out | unseen == articles
    assert {seed for seed, *_ in seen} == {13, 14}
    assert len(result["seeds"]) == 2
    assert result["mean"].keys() == result["spread"].keys()


def test_written_sentences_are_in_each_lesson(run, tmp_path):
    write_examples(tmp_path / "written.jsonl", [replace(EXAMPLES[0], id="written#1", article=None)])
    run = replace(run, train=replace(run.train, written=(str(tmp_path / "written.jsonl"),)))
    lessons = []
    with pytest.raises(ValueError, match="argument 2 is shorter"):  # nothing is read
        leave_one_out(run, EXAMPLES, EXAMPLES, 1, lambda _, training, *__: lessons.append([e.id for e in training]) or [])
    assert [lesson.count("written#1") for lesson in lessons] == [1]


def test_leaving_one_out_needs_articles(run):
    with pytest.raises(UserError, match="three articles at least"):
        leave_one_out(run, EXAMPLES, EXAMPLES[:3], 1, lambda *_: [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (["review.epochs=1", "review.network=published"], "review.network: published has seen"),
        (["distil.layers=1", "encoder.trim=false"], "distil.layers: the teacher has seen"),
    ],
)
def test_no_article_is_left_out_of_a_network_that_was_trained_before(changes, field):
    run = settings.load("configs/tiny.yaml", changes)
    for read_by in (leave_one_out, on_unseen):
        with pytest.raises(UserError, match=field):
            read_by(run, EXAMPLES, EXAMPLES, 1, lambda *_: pytest.fail("trained"))


def test_nor_of_a_published_network_that_is_taken_for_an_encoder(model_folder):
    run = settings.load("configs/tiny.yaml", [f"encoder.source={model_folder}"])
    with pytest.raises(UserError, match=r"encoder\.source: .* was trained on labels"):
        leave_one_out(run, EXAMPLES, EXAMPLES, 1, lambda *_: pytest.fail("trained"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is asked, not timed")
@pytest.mark.parametrize(
    ("instructions", "bf16", "fp32", "chosen"),
    [(True, 0.5, 1.0, True), (True, 2.0, 1.0, False), (True, 0.9, 1.0, False), (False, 0.5, 1.0, False)],
)
def test_bf16_is_taken_where_the_processor_is_clearly_faster_with_it(monkeypatch, instructions, bf16, fp32, chosen):
    """Some processors have the instructions and take twice as long with them."""
    seconds = {torch.bfloat16: bf16, torch.float32: fp32}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": instructions})
    monkeypatch.setattr(train.fit, "_product_seconds", seconds.__getitem__)
    assert train.fit._bf16_is_fast.__wrapped__() is chosen


def test_products_are_timed_without_a_change_of_threads():
    threads = torch.get_num_threads()
    assert train.fit._product_seconds(torch.float32) > 0
    assert torch.get_num_threads() == threads
