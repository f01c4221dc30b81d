from __future__ import annotations

from models.records import Example
from train.stages import review_set


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
