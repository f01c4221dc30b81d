"""How right a labelling is: strict span precision, recall and F1, and the claims' accuracy, macro-F1 and confusion.

A span counts only if sentence, start, end and label all agree (the CoNLL-2003 rule, on characters): one that lacks its last word is a
miss and a false alarm. ``partial=True`` counts overlap with a span of the same label instead, each span once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .labels import CLAIMS, NO_CLAIM, SPAN_TYPES
from .records import Range, Span, overlap

MICRO = "micro"


@dataclass(frozen=True, slots=True)
class Score:
    """Counts, and the ratios they give: 0.0 where a ratio has nothing below the line, as in CoNLL's own script."""

    correct: int = 0
    predicted: int = 0
    gold: int = 0

    @property
    def precision(self) -> float:
        """Share of the predicted that is correct."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold that was found."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.correct / (self.predicted + self.gold) if self.predicted + self.gold else 0.0

    def __add__(self, other: Score) -> Score:
        """The counts of both together."""
        return Score(self.correct + other.correct, self.predicted + other.predicted, self.gold + other.gold)

    def to_dict(self) -> dict[str, float | int]:
        """Ratios, rounded to four places, and counts, as plain JSON types."""
        ratios = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {name: round(ratio, 4) for name, ratio in ratios.items()} | {
            "correct": self.correct,
            "predicted": self.predicted,
            "gold": self.gold,
        }


def span_scores(
    gold: Sequence[Collection[Span]], predicted: Sequence[Collection[Span]], labels: Sequence[str] = SPAN_TYPES, *, partial: bool = False
) -> dict[str, Score]:
    """A Score for each label and one, ``"micro"``, for all of them together.

    ``gold`` and ``predicted`` hold the spans of the same sentences in the same order; spans of other labels are left out. Within a sentence
    neither side's spans of a label overlap. Raises ValueError if the two differ in length.
    """
    count = _overlapping if partial else _equal
    scores = dict.fromkeys(labels, Score())
    for right, guess in zip(gold, predicted, strict=True):
        for label in labels:
            a, b = ({s.range for s in spans if s.label == label} for spans in (right, guess))
            scores[label] += Score(count(a, b), len(b), len(a))
    return scores | {MICRO: sum(scores.values(), Score())}


def _equal(a: set[Range], b: set[Range]) -> int:
    return len(a & b)


def _overlapping(a: set[Range], b: set[Range]) -> int:
    """Most pairs of overlapping ranges: as neither side overlaps itself, the range that ends first has one partner at most."""
    left, right, pairs = sorted(a, reverse=True), sorted(b, reverse=True), 0
    while left and right:
        one, other = left[-1], right[-1]
        if overlap(one, other):
            pairs += 1
            left.pop()
            right.pop()
        else:
            (left if one[1] <= other[1] else right).pop()
    return pairs


@dataclass(frozen=True, slots=True)
class ClaimScores:
    """How right the claims are.

    ``accuracy``, ``macro_f1`` and ``by_class`` are over the sentences that make a claim; no prediction for one is a wrong one.
    ``confusion[gold][predicted]`` counts all, with the row NONE (where abstaining is right) and the column NONE (abstained).
    """

    accuracy: float
    macro_f1: float
    by_class: Mapping[str, Score]
    confusion: Mapping[str, Mapping[str, int]]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "accuracy": round(self.accuracy, 4),
            "macro_f1": round(self.macro_f1, 4),
            "by_class": {label: score.to_dict() for label, score in self.by_class.items()},
            "confusion": {label: dict(row) for label, row in self.confusion.items()},
        }


def claim_scores(gold: Sequence[str | None], predicted: Sequence[str | None], labels: Sequence[str] = CLAIMS) -> ClaimScores:
    """Score claims sentence by sentence; gold None is an unlabelled sentence and left out, predicted None an abstention.

    Raises ValueError if the two differ in length.
    """
    pairs = Counter((right, guess or NO_CLAIM) for right, guess in zip(gold, predicted, strict=True) if right is not None)
    everything = (*labels, NO_CLAIM)
    by_class = {
        label: Score(
            correct=pairs[label, label],
            predicted=sum(pairs[right, label] for right in labels),
            gold=sum(pairs[label, guess] for guess in everything),
        )
        for label in labels
    }
    total = sum(by_class.values(), Score())
    return ClaimScores(
        accuracy=total.recall,
        macro_f1=sum(score.f1 for score in by_class.values()) / len(labels) if labels else 0.0,
        by_class=by_class,
        confusion={right: {guess: pairs[right, guess] for guess in everything} for right in everything},
    )
