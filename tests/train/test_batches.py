from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.labels import IGNORED, Schema
from models.modeling import joint_model
from train.batches import Row, Share, StepLoader, Steps, deal, packed, padded, passes
from train.trainer import reading_packed

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=40)


def row(length, name="r", vocabulary=100, seed=None):
    rng = np.random.default_rng(length if seed is None else seed)
    labels = rng.integers(0, 9, length)
    labels[0] = IGNORED
    claim = tuple(rng.dirichlet([1, 1, 1]).tolist()) if rng.random() < 0.7 else (0.0, 0.0, 0.0)
    return Row(name, rng.integers(5, vocabulary, length), labels, rng.random(length), claim, float(rng.integers(1, 4)))


@given(rows=st.integers(1, 200), size=st.integers(1, 50), epoch=st.integers(0, 3))
def test_an_epoch_has_each_row_once_in_steps_of_one_size(rows, size, epoch):
    steps = Steps(rows, size, seed=1)
    steps.set_epoch(epoch)
    parts = list(steps)
    assert sorted(i for part in parts for i in part) == list(range(rows))
    assert len(parts) == len(steps)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert max(map(len, parts)) <= size
    assert parts == list(steps)


def test_epochs_differ():
    steps = Steps(50, 8, seed=1)
    first = list(steps)
    steps.set_epoch(1)
    assert list(steps) != first


@given(lengths=LENGTHS, parts=st.integers(1, 8))
def test_parts_are_nearly_equal(lengths, parts):
    dealt = deal(lengths, parts)
    assert sorted(i for part in dealt for i in part) == list(range(len(lengths)))
    sums = [sum(lengths[i] for i in part) for part in dealt]
    assert max(sums) - min(sums) <= max(lengths)
    assert all(dealt) or len(lengths) < parts


@settings(deadline=None)
@given(lengths=LENGTHS, budget=st.integers(1, 300), packing=st.booleans())
def test_no_pass_is_over_the_budget(lengths, budget, packing):
    rows = [row(length, str(i)) for i, length in enumerate(lengths)]
    made = passes(rows, budget, packing)
    assert sorted(r.id for part in made for r in part) == sorted(r.id for r in rows)
    costs = [sum(map(len, part)) if packing else len(part) * max(map(len, part)) for part in made]
    assert all(cost <= budget or len(part) == 1 for cost, part in zip(costs, made, strict=True))
    if packing:
        assert costs[-1] == min(costs)
    else:
        assert all(2 * min(map(len, part)) >= max(map(len, part)) for part in made)


def test_processes_share_a_step_and_know_what_it_weighs():
    rows = [row(length) for length in range(3, 33)]
    steps = Steps(len(rows), 8, seed=3)
    one, *two = (list(StepLoader(rows, steps, i, n)) for i, n in ((0, 1), (0, 2), (1, 2)))
    for whole, first, second in zip(one, *two, strict=True):
        assert whole["totals"] == first["totals"] == second["totals"]
        assert {len(r) for r in whole["rows"]} == {len(r) for r in (*first["rows"], *second["rows"])}
        assert abs(sum(map(len, first["rows"])) - sum(map(len, second["rows"]))) <= max(map(len, whole["rows"]))


def test_padding_carries_no_label():
    batch = padded([row(4), row(7)], pad_token_id=3)
    assert {key: tuple(value.shape) for key, value in batch.items()} == {
        "input_ids": (2, 7), "labels": (2, 7), "label_scores": (2, 7), "attention_mask": (2, 7), "claim_targets": (2, 3), "weights": (2,)
    }  # fmt: skip
    assert batch["attention_mask"].sum(1).tolist() == [4, 7]
    assert batch["labels"][0, 4:].tolist() == [IGNORED] * 3
    assert batch["input_ids"][0, 4:].tolist() == [3] * 3
    assert batch["weights"].dtype == batch["label_scores"].dtype == torch.float32


def loss_and_gradients(model, batches, totals):
    model.zero_grad()
    losses = [model(**batch, totals=torch.tensor(totals)).loss for batch in batches]
    torch.stack(losses).sum().backward()
    return sum(loss.item() for loss in losses), {name: p.grad.clone() for name, p in model.named_parameters()}


@pytest.fixture
def model(tiny_encoder):
    torch.manual_seed(5)
    model = joint_model(tiny_encoder, Schema())
    torch.nn.init.normal_(model.claim_classifier.weight)
    return model.eval()  # without dropout, so that ways of computing can be compared


def test_packed_padded_and_in_parts_the_loss_is_the_same(model):
    rows = [row(length, vocabulary=model.config.vocab_size, seed=i) for i, length in enumerate((9, 3, 17, 1, 30, 12))]
    totals = Share(0, 1)(rows)["totals"]
    with reading_packed(model):
        one, gradients = loss_and_gradients(model, [padded([r], 0) for r in rows], totals)
        for batches in ([padded(rows, 0)], [packed(rows)], [packed(rows[:2]), packed(rows[2:])], [padded(rows[4:], 0), packed(rows[:4])]):
            loss, others = loss_and_gradients(model, batches, totals)
            assert loss == pytest.approx(one, rel=1e-5)
            for name, gradient in gradients.items():
                torch.testing.assert_close(others[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_no_token_sees_another_sentence(model_of_module, lengths):
    rows = [row(length, vocabulary=60) for length in lengths]
    with reading_packed(model_of_module), torch.no_grad():
        together = model_of_module(**packed(rows))
        alone = [model_of_module(**padded([r], 0)) for r in rows]
    torch.testing.assert_close(together.logits[0], torch.cat([output.logits[0] for output in alone]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.claim_logits, torch.cat([output.claim_logits for output in alone]), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def model_of_module(tiny_encoder):
    torch.manual_seed(5)
    return joint_model(tiny_encoder, Schema()).eval()


def test_a_batch_of_its_own_is_divided_by_its_own_counts(model):
    rows = [row(8, vocabulary=60), row(5, vocabulary=60)]
    totals = Share(0, 1)(rows)["totals"]
    batch = padded(rows, 0)
    assert model(**batch).loss.item() == pytest.approx(model(**batch, totals=torch.tensor(totals)).loss.item(), rel=1e-6)
