"""Two readings of a sentence are made to agree, packed or padded, as much as the sentence counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models.labels import IGNORED
from models.modeling import JointOutput
from train.batches import Row, packed, padded
from train.consistency import disagreement

TOTALS = torch.tensor([10.0, 4.0])


def row(labels, claim, weight):
    tokens = len(labels)
    return Row("a", np.arange(tokens), np.array(labels), np.ones(tokens), claim, weight)


ROWS = [row([IGNORED, 1, 0, IGNORED], (1.0, 0.0), 4.0), row([IGNORED, 2, IGNORED], (0.0, 0.0), 1.0)]


def divergence(p, q):
    return sum((a - b) * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True)) / 2


def logits_of(batch, by_token):
    """(rows, tokens, tags): at each real token what ``by_token`` gives for its reading, row and place, elsewhere what must not matter."""
    found = torch.full((*batch["labels"].shape, 3), 7.0)
    flat = [(reading, i, place) for reading in range(2) for i, row in enumerate(ROWS) for place in range(len(row.labels))]
    cells = torch.nonzero(batch.get("attention_mask", torch.ones_like(batch["labels"])))
    for (reading, i, place), (line, column) in zip(flat, cells.tolist(), strict=True):
        found[line, column] = torch.tensor(by_token(reading, i, place)).log()
    return found


@pytest.mark.parametrize("make", [packed, lambda rows: padded(rows, 0)], ids=["packed", "padded"])
def test_labelled_tokens_and_claims_count_and_nothing_else(make):
    tags = {(0, 0, 1): (0.7, 0.2, 0.1), (1, 0, 1): (0.5, 0.3, 0.2), (0, 1, 1): (0.1, 0.1, 0.8), (1, 1, 1): (0.2, 0.2, 0.6)}
    unlabelled = {(0, 0, 0): (0.9, 0.05, 0.05), (1, 0, 3): (0.05, 0.9, 0.05)}
    batch = make([*ROWS, *ROWS])
    logits = logits_of(batch, lambda *cell: (tags | unlabelled).get(cell, (0.2, 0.2, 0.6)))
    claims = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [0.1, 0.9]]).log()
    of_spans = 4 * divergence((0.7, 0.2, 0.1), (0.5, 0.3, 0.2)) + divergence((0.1, 0.1, 0.8), (0.2, 0.2, 0.6))
    of_claims = 4 * divergence((0.9, 0.1), (0.6, 0.4))  # the second sentence makes none that is known
    found = disagreement(JointOutput(logits=logits, claim_logits=claims), batch, TOTALS)
    assert float(found) == pytest.approx(of_spans / 10 + of_claims / 4, rel=1e-5)
    without = disagreement(JointOutput(logits=logits), batch, TOTALS)
    assert float(without) == pytest.approx(of_spans / 10, rel=1e-5)


def test_readings_that_are_alike_cost_nothing():
    batch = padded([*ROWS, *ROWS], 0)
    logits = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)).repeat(2, 1, 1)
    assert float(disagreement(JointOutput(logits=logits, claim_logits=torch.zeros(4, 2)), batch, TOTALS)) == 0.0
