"""Labelled sentences -> the rows that the Trainer reads: splits by article, features, padding."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset  # type: ignore[attr-defined]
from torch import Tensor

from models.encoding import Encoding, encode, tag
from models.errors import UserError
from models.labels import IGNORED, NO_CLAIM, Schema
from models.records import Example, Range, Span, read_examples
from models.settings import PredictSettings, Settings
from models.text import words

from .conll import read_conll

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HELD_OUT = 5  # one article in so many, or in more where that would be over MOST_HELD_OUT articles
MOST_HELD_OUT = 160
ENOUGH = 50  # sentences with a hand label: on fewer a figure says more of them than of the model

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Labelled:
    """What a run learns from, what chooses its checkpoint and, by the file's name, what it is measured on."""

    schema: Schema
    training: Sequence[Example]
    held_out: Sequence[Example]
    gold: Mapping[str, Sequence[Example]]


def read_labelled(run: Settings) -> Labelled:
    """The run's weak labels and gold, or its hand-labelled files. Raises UserError for a mistake in any of them."""
    if run.data.train:
        training, held_out = ([e for path in paths for e in read_conll(path)] for paths in (run.data.train, run.data.held_out))
        types = {span.label for example in training for span in example.spans or ()}
        return Labelled(Schema(tuple(sorted(types)), claims=()), training, held_out, {path: read_conll(path) for path in run.data.test})
    training, held_out = split_by_article(read_examples(run.annotate.output), run.train.held_out)
    return Labelled(Schema(), training, trusted(held_out), {path: read_examples(path) for path in run.gold})


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


def to_dataset(examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, schema: Schema, reading: PredictSettings) -> Dataset:
    """A row a window: input_ids, labels, label_scores, claim_targets, weights. Raises UserError if nothing in the examples is labelled."""
    encodings = encode(tokenizer, [example.text for example in examples], reading.window, reading.overlap)
    rows = [row for example, encoding in zip(examples, encodings, strict=True) for row in _rows(example, encoding, schema)]
    if not any(max(row["labels"], default=IGNORED) > IGNORED or any(row["claim_targets"]) for row in rows):
        raise UserError("no example carries a label that can be trained on; run `python -m annotate` first")
    return Dataset.from_list(rows)


def _rows(example: Example, encoding: Encoding, schema: Schema) -> Iterator[dict[str, Any]]:
    targets: Iterable[Any] = [None] * len(encoding.windows)
    if example.spans is not None:
        targets = tag(encoding, on_word_edges(example, encoding.words), schema, example.unsure)
    for window, target in zip(encoding.windows, targets, strict=True):
        masked = [IGNORED] * len(window.input_ids)
        yield {
            "input_ids": window.input_ids.tolist(),
            "labels": masked if target is None else target.labels.tolist(),
            "label_scores": [1.0] * len(masked) if target is None else target.scores.tolist(),
            "claim_targets": claim_target(example, schema),
            "weights": example.weight,
        }


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


class Collator:
    """Pads a batch to its longest row; padding carries no label."""

    def __init__(self, pad_token_id: int) -> None:
        self.padding = {"input_ids": pad_token_id, "labels": IGNORED, "label_scores": 1.0}

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """(rows, tokens) tensors of the token columns, ``attention_mask`` among them, and (rows, …) of the sentence columns."""
        length = max(len(row["input_ids"]) for row in rows)
        batch = {key: torch.tensor([row[key] + [value] * (length - len(row[key])) for row in rows]) for key, value in self.padding.items()}
        lengths = torch.tensor([len(row["input_ids"]) for row in rows])
        batch["attention_mask"] = (torch.arange(length) < lengths[:, None]).long()
        batch["claim_targets"] = torch.tensor([row["claim_targets"] for row in rows])
        batch["weights"] = torch.tensor([row["weights"] for row in rows])
        return batch
