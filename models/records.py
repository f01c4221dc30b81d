"""The records that the steps hand on: Article -> Sentence -> Vote -> Example -> … -> Prediction.

All are frozen. Offsets are half-open, in Unicode code points, into the untouched text that the record names; a span's ``text`` is
checked against them on reading, so a record that was read is right to the character.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import UserError
from .files import field as required
from .files import parse_jsonl, read_text, to_json, write_whole
from .labels import CLAIMS, NO_CLAIM, SPAN_TYPES

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Article:
    """A document as it came. ``body`` holds the ranges of ``text`` that are the story, in order, page furniture left out."""

    id: str
    text: str
    body: tuple[Range, ...]
    source: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: ``article.text[start:end] == text``. ``id`` is the article's with a running number: ``a-003``."""

    id: str
    article: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled stretch of a text. ``score`` is a probability; ``value`` and ``unit`` are a NUMBER's meaning, where it has one."""

    label: str
    start: int
    end: int
    text: str
    score: float = 1.0
    value: float | int | None = None
    unit: str | None = None

    @property
    def range(self) -> Range:
        """Where it begins and ends."""
        return self.start, self.end

    def shifted(self, by: int) -> Span:
        """The same span in a text that begins ``by`` characters earlier."""
        return Span(self.label, self.start + by, self.end + by, self.text, self.score, self.value, self.unit)


@dataclass(frozen=True, slots=True)
class Vote:
    """One labelling function's opinion of one sentence.

    With offsets (into the sentence) it is about a span: ``label`` is a span type, or ``O`` for "whatever this looks like, it is none".
    Without them it is about the claim. A function that says nothing abstains: that is not a vote for ``O``.
    """

    function: str
    label: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled sentence, weak or gold.

    ``spans`` None and ``claim`` None mean that the head has no label here and is masked. ``unsure`` are stretches of the text on which the
    functions could not agree: masked too, neither a span nor ``O``. A span's ``score`` and ``claim_scores`` are soft targets; ``weight``
    multiplies the sentence's loss. ``source`` and ``licence`` are the article's, so that a trained model can say what it was trained on.
    ``types_by_hand`` are the span types that somebody has looked for: what ``spans`` has of them is no rule's.
    """

    id: str
    text: str
    spans: tuple[Span, ...] | None
    claim: str | None
    claim_scores: Mapping[str, float] | None = None
    unsure: tuple[Range, ...] = ()
    weight: float = 1.0
    article: str = ""
    source: str | None = None
    licence: str | None = None
    types_by_hand: tuple[str, ...] = ()

    @property
    def claim_by_hand(self) -> bool:
        """Whether somebody read the sentence for its claim: rules give a distribution with theirs."""
        return self.claim is not None and self.claim_scores is None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, of which gold files use ``id``, ``text``, ``entities`` and ``claim`` alone."""
        record: dict[str, Any] = {"id": self.id, "article": self.article, "text": self.text}
        if self.spans is not None:
            record["entities"] = [
                {"start": s.start, "end": s.end, "label": s.label, "text": s.text, "score": round(s.score, 4)} for s in self.spans
            ]
        record["claim"] = self.claim
        if self.claim_scores is not None:
            record["claim_scores"] = {label: round(score, 4) for label, score in self.claim_scores.items()}
        record["unsure"] = [list(r) for r in self.unsure]
        if self.types_by_hand:
            record["types_by_hand"] = list(self.types_by_hand)
        return record | {"weight": self.weight, "source": self.source, "licence": self.licence}


@dataclass(frozen=True, slots=True)
class Claim:
    """What kind of claim a sentence makes; ``label`` is None where the best score is under the confidence threshold."""

    label: str | None
    score: float
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PredictedSentence:
    """A sentence of a prediction; its own offsets and its spans' are into the document. ``claim`` is None for a model without the head."""

    start: int
    end: int
    text: str
    claim: Claim | None
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """All that was read in one document."""

    id: str
    text: str
    sentences: tuple[PredictedSentence, ...] = field(default_factory=tuple)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; README.md shows the form."""
        return {"id": self.id, "text": self.text, "sentences": [_sentence_dict(s) for s in self.sentences]}


def _sentence_dict(sentence: PredictedSentence) -> dict[str, Any]:
    claim = sentence.claim
    return {
        "start": sentence.start,
        "end": sentence.end,
        "text": sentence.text,
        "claim": claim and {"label": claim.label, "score": claim.score, "scores": dict(claim.scores)},
        "spans": [_span_dict(span) for span in sentence.spans],
    }


def _span_dict(span: Span) -> dict[str, Any]:
    record = {"label": span.label, "start": span.start, "end": span.end, "text": span.text, "score": span.score}
    return record | ({"value": span.value, "unit": span.unit} if span.value is not None else {})


def overlap(one: Range, other: Range) -> bool:
    """Whether two ranges have a character in common."""
    return one[0] < other[1] and other[0] < one[1]


def digest(text: str) -> str:
    """A sentence's name where its text is not kept, as in a file of reviews: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_examples(path: str | Path, examples: Iterable[Example]) -> None:
    """Write examples as JSONL, whole or not at all."""
    with write_whole(path) as out:
        for example in examples:
            out.write(to_json(example.to_dict()) + "\n")


def read_examples(path: str | Path) -> list[Example]:
    """Read weak labels or gold. Raises UserError that names file, line and field for anything that is not a valid example."""
    examples = list(_parse_examples(read_text(path), str(path)))
    if not examples:
        raise UserError(f"{path}: holds no examples; write them with `python -m annotate`")
    return examples


def _parse_examples(text: str, name: str) -> Iterator[Example]:
    for number, record in parse_jsonl(text, name):
        where = f"{name}, line {number}"
        body = required(record, "text", str, where)
        id = required(record, "id", str, where)
        claim = record.get("claim")
        if claim not in (None, NO_CLAIM, *CLAIMS):
            raise UserError(f"{where}, field 'claim': {claim!r} is none of {', '.join((*CLAIMS, NO_CLAIM))} or null")
        scores = record.get("claim_scores")
        if scores is not None and not (isinstance(scores, dict) and set(scores) <= set(CLAIMS) and all(map(_is_number, scores.values()))):
            raise UserError(f"{where}, field 'claim_scores': expected an object of probabilities for {', '.join(CLAIMS)}")
        unsure = record.get("unsure", [])
        if not isinstance(unsure, list) or not all(isinstance(r, list) and [type(i) for i in r] == [int, int] for r in unsure):
            raise UserError(f"{where}, field 'unsure': expected a list of [start, end] pairs")
        if not _is_number(weight := record.get("weight", 1.0)):
            raise UserError(f"{where}, field 'weight': expected a number from 0 up, found {weight!r}")
        types = record.get("types_by_hand", [])
        if not isinstance(types, list) or not all(name in SPAN_TYPES for name in types):
            raise UserError(f"{where}, field 'types_by_hand': {types!r} is no list of {', '.join(SPAN_TYPES)}")
        for key in ("article", "source", "licence"):
            if not isinstance(record.get(key), str | None):
                raise UserError(f"{where}, field '{key}': {type(record[key]).__name__} in place of str; mend the field")
        yield Example(
            id=id,
            text=body,
            spans=_read_spans(record["entities"], body, where) if "entities" in record else None,
            claim=claim,
            claim_scores=scores,
            unsure=tuple((start, end) for start, end in unsure),
            weight=float(weight),
            article=record.get("article") or re.sub(r"[-#]\d+$", "", id),
            source=record.get("source"),
            licence=record.get("licence"),
            types_by_hand=tuple(types),
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _is_entity(entity: Any) -> bool:
    return (
        isinstance(entity, dict)
        and type(entity.get("start")) is type(entity.get("end")) is int
        and isinstance(entity.get("label"), str)
        and _is_number(score := entity.get("score", 1.0))
        and score <= 1
    )


def _read_spans(entities: Any, text: str, where: str) -> tuple[Span, ...]:
    where += ", field 'entities'"
    if not isinstance(entities, list) or not all(map(_is_entity, entities)):
        raise UserError(f"{where}: expected a list of objects with start, end, label and text")
    spans = sorted(
        (Span(e["label"], e["start"], e["end"], text[e["start"] : e["end"]], float(e.get("score", 1.0))) for e in entities),
        key=lambda span: span.start,
    )
    surfaces = {(e["start"], e["end"]): e.get("text") for e in entities}
    after = 0
    for span in spans:
        surface = surfaces[span.range]
        if not after <= span.start < span.end <= len(text):
            raise UserError(f"{where}: [{span.start}, {span.end}) is empty, overlaps another or leaves the text")
        if span.label not in SPAN_TYPES:
            raise UserError(f"{where}: {span.label!r} is none of {', '.join(SPAN_TYPES)}")
        if surface is not None and surface != span.text:
            raise UserError(f"{where}: [{span.start}, {span.end}) is «{span.text}», the record says «{surface}»")
        after = span.end
    return tuple(spans)
