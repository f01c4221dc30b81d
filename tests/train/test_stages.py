from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from models.records import Example
from train.stages import average, review_set


def examples(read, weak):
    return [Example(f"r-{i}", "الف", (), "NONE") for i in range(read)] + [
        Example(f"w-{i}", "ب", (), "POLICY", {"POLICY": 1.0}) for i in range(weak)
    ]


def test_as_many_others_without_their_claims():
    chosen = review_set(examples(3, 10), seed=1)
    assert [example.id for example in chosen[:3]] == ["r-0", "r-1", "r-2"]
    assert len({example.id for example in chosen}) == 6
    assert all(example.claim is example.claim_scores is None and example.spans == () for example in chosen[3:])
    assert review_set(examples(3, 10), seed=1) == chosen


def test_fewer_others_than_were_read():
    assert len(review_set(examples(5, 2), seed=1)) == 7


@given(st.floats(0, 1))
def test_the_average_lies_between_the_networks(share):
    own, other = nn.Linear(2, 1), nn.Linear(2, 1)
    expected = [share * a + (1 - share) * b for a, b in zip(own.parameters(), other.parameters(), strict=True)]
    average(own, other, share)
    for a, b in zip(own.parameters(), expected, strict=True):
        torch.testing.assert_close(a, b)
