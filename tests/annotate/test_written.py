"""The sentences that were written for training: each label stands on word edges, and none is one that measures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from models.labels import CLAIMS, NO_CLAIM, SPAN_TYPES
from models.records import read_examples
from models.text import fold
from train.dataset import on_word_edges

ROOT = Path(__file__).parents[2]
WRITTEN = [example for path in sorted((ROOT / "annotate").glob("written*.jsonl")) for example in read_examples(path)]


def test_labels_stand_on_word_edges() -> None:
    for example in WRITTEN:
        assert on_word_edges(example) == example.spans, example.id


def test_every_sentence_is_labelled_by_hand_once() -> None:
    assert {example.claim for example in WRITTEN} == {*CLAIMS, NO_CLAIM}
    assert all(example.claim_by_hand and example.licence == "Apache-2.0" for example in WRITTEN)
    assert {span.label for example in WRITTEN for span in example.spans or ()} == set(SPAN_TYPES)
    for values in ([example.id for example in WRITTEN], [fold(example.text).text for example in WRITTEN]):
        assert max(Counter(values).values()) == 1


def test_no_seed_sentence_is_among_them() -> None:
    gold = {fold(example.text).text for example in read_examples(ROOT / "seeds/gold.jsonl")}
    assert gold.isdisjoint(fold(example.text).text for example in WRITTEN)
