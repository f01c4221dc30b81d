"""Labelled sentences -> the rows that training reads: splits by article, features."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from models.encoding import Encoding, Targets, encode, tag
from models.errors import UserError
from models.labels import IGNORED, NO_CLAIM, Schema
from models.records import Example, Range, Span, read_examples
from models.settings import PredictSettings, Settings
from models.text import words

from .batches import Row
from .conll import read_conll

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HELD_OUT = 5  # one article in so many, or in more where that would be over MOST_HELD_OUT articles
MOST_HELD_OUT = 160
ENOUGH = 50  # sentences with a hand label: on fewer a figure says more of them than of the model

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labelled:
    """What a run learns from, the last ``written`` of it sentences that were written for training; what chooses its checkpoint; and, by
    the file's name, what it is measured on.
    """

    schema: Schema
    training: Sequence[Example]
    held_out: Sequence[Example]
    gold: Mapping[str, Sequence[Example]]
    written: int = 0


def read_labelled(run: Settings) -> Labelled:
    """The run's weak labels, written sentences and gold, or its hand-labelled files. Raises UserError for a mistake in any of them."""
    if run.data.train:
        training, held_out = ([e for path in paths for e in read_conll(path)] for paths in (run.data.train, run.data.held_out))
        gold = {path: read_conll(path) for path in run.data.test}
        parts = (training, held_out, *gold.values())  # a type that training lacks is missed, and to be counted so
        types = {span.label for examples in parts for example in examples for span in example.spans or ()}
        return Labelled(Schema(tuple(sorted(types)), claims=()), training, held_out, gold)
    training, held_out = split_by_article(read_examples(run.annotate.output), run.train.held_out)
    by_hand = written(run)
    return Labelled(Schema(), [*training, *by_hand], trusted(held_out), {path: read_examples(path) for path in run.gold}, len(by_hand))


def written(run: Settings) -> list[Example]:
    """The sentences of ``train.written``, each of the weight of one that was read. Raises UserError for a mistake in a file, and for a
    sentence whose labels are no hand's.
    """
    examples: list[Example] = []
    for path in run.train.written:
        for example in read_examples(path):
            if example.spans is None or not example.claim_by_hand:
                raise UserError(
                    f"{path}, sentence {example.id}: needs 'entities' and a 'claim' without 'claim_scores'; label it, or leave it out"
                )
            examples.append(replace(example, weight=run.annotate.review_weight))
    return examples


def trusted(examples: Sequence[Example]) -> list[Example]:
    """The examples, with the weak claims masked where enough are labelled by hand: rules cannot measure what outdoes them."""
    if sum(example.claim_by_hand for example in examples) < ENOUGH:
        return list(examples)
    return [example if example.claim_by_hand else replace(example, claim=None, claim_scores=None) for example in examples]


def split_by_article(examples: Sequence[Example], held_out: Sequence[str] = ()) -> tuple[list[Example], list[Example]]:
    """(training, held-out) examples. ``held_out`` names articles; empty, every fifth in the order of the file is held out, or, of many,
    about MOST_HELD_OUT at even distances.

    Raises UserError for a name that no example has, or where one of the two parts would be empty.
    """
    articles = list(dict.fromkeys(example.article for example in examples))
    if unknown := set(held_out) - set(articles):
        raise UserError(f"train.held_out: no example is of article {sorted(unknown)[0]!r}; articles are {', '.join(articles[:5])} …")
    step = max(HELD_OUT, len(articles) // MOST_HELD_OUT)
    held = set(held_out) or set(articles[step - 1 :: step])
    training = [example for example in examples if example.article not in held]
    if not held or not training:
        raise UserError(f"train.held_out: {len(articles)} articles leave none to train on or none to choose the checkpoint; add articles")
    return training, [example for example in examples if example.article in held]


def to_rows(examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, schema: Schema, reading: PredictSettings) -> list[Row]:
    """A row a window. Raises UserError if nothing in the examples is labelled."""
    encodings = encode(tokenizer.backend_tokenizer, [example.text for example in examples], reading.window, reading.overlap)
    rows = [row for example, encoding in zip(examples, encodings, strict=True) for row in _rows(example, encoding, schema)]
    if not any((row.labels != IGNORED).any() or any(row.claim) for row in rows):
        raise UserError("no example carries a label that can be trained on; run `python -m annotate` first")
    return rows


def _rows(example: Example, encoding: Encoding, schema: Schema) -> Iterator[Row]:
    masked = [Targets(np.full(len(window.input_ids), IGNORED), np.ones(len(window.input_ids))) for window in encoding.windows]
    targets = masked if example.spans is None else tag(encoding, on_word_edges(example, encoding.words), schema, example.unsure)
    claim = tuple(claim_target(example, schema))
    for window, target in zip(encoding.windows, targets, strict=True):
        yield Row(example.id, window.input_ids, target.labels, target.scores, claim, example.weight)


def on_word_edges(example: Example, ranges: Sequence[Range] | None = None) -> tuple[Span, ...]:
    """The example's spans that begin and end on word edges. Labels made elsewhere may not: those are left out, with a warning."""
    ranges = words(example.text) if ranges is None else ranges
    starts, ends = {start for start, _ in ranges}, {end for _, end in ranges}
    kept = tuple(span for span in example.spans or () if span.start in starts and span.end in ends)
    if len(kept) < len(example.spans or ()):
        log.warning("%s: %d spans do not begin and end on word edges; left out", example.id, len(example.spans or ()) - len(kept))
    return kept


def claim_target(example: Example, schema: Schema) -> list[float]:
    """The claim head's distribution, in the order of the schema's classes; all zeros where there is no label.

    NONE, which only a hand gives, is all classes alike: the network should learn to prefer none, so that its score stays low.
    """
    if example.claim == NO_CLAIM:
        return [1 / len(schema.claims)] * len(schema.claims) if schema.claims else []
    scores = example.claim_scores if example.claim_scores is not None else {example.claim: 1.0} if example.claim else {}
    return [float(scores.get(claim, 0.0)) for claim in schema.claims]
