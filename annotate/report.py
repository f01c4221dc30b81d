"""What the labelling functions did, a function a row, and, where there is gold, how right they and the weak labels are.

Coverage, overlap and conflict are Ratner et al.'s (Data Programming, 2016), here for spans too: two span votes meet where they overlap, and
conflict where they meet without being equal.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models import files
from models.labels import OUTSIDE, SPAN_TYPES
from models.records import Example, Sentence, Vote, overlap
from models.scoring import ClaimScores, Score, claim_scores, span_scores

from .label_model import Ballot

FILE = "annotation.json"  # beside the weak labels
Place = tuple[str, str]  # article and text: what gold and labelled sentences are matched by


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """One function over all ballots: ``coverage`` is a share of the sentences, ``overlap`` and ``conflict`` are shares of its votes.

    ``learned`` is the label model's mean probability that one of its votes is right, None where no model was asked. ``score`` is None
    without gold. For spans it is strict: recall is of all gold spans of the labels that the function gives. A vote for ``O`` is correct if
    no gold span lies within it, and so is a claim that equals the gold one; neither has a recall. Votes on what gold leaves unlabelled are
    not judged.
    """

    function: str
    labels: tuple[str, ...]
    votes: int
    coverage: float
    overlap: float
    conflict: float
    learned: float | None
    score: Score | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        row: dict[str, Any] = {"function": self.function, "labels": list(self.labels), "votes": self.votes}
        row |= {name: round(getattr(self, name), 4) for name in ("coverage", "overlap", "conflict")}
        if self.learned is not None:
            row["learned"] = round(self.learned, 4)
        if self.score is None:
            return row
        figures = self.score.to_dict()
        return row | {name: figures[name] for name in figures if self.score.gold or name in ("precision", "correct", "predicted")}


@dataclass(frozen=True, slots=True)
class GoldScores:
    """The weak labels against gold. ``missing`` gold sentences are not among the labelled ones and count as empty predictions."""

    sentences: int
    missing: int
    strict: Mapping[str, Score]
    partial: Mapping[str, Score]
    claims: ClaimScores

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "sentences": self.sentences,
            "missing": self.missing,
            "spans_strict": {label: score.to_dict() for label, score in self.strict.items()},
            "spans_partial": {label: score.to_dict() for label, score in self.partial.items()},
            "claims": self.claims.to_dict(),
        }


def function_rows(
    ballots: Sequence[Ballot], gold: Iterable[Example] = (), learned: Mapping[str, float] = MappingProxyType({})
) -> list[FunctionRow]:
    """A row for each function that voted, in the order of their names; gold sentences are matched by article and text.

    ``learned`` is the label model's opinion of the functions, by name.
    """
    by_place = {_place(example): example for example in gold}
    votes: defaultdict[str, list[tuple[Ballot, Vote]]] = defaultdict(list)
    for ballot in ballots:
        for vote in ballot.votes:
            votes[vote.function].append((ballot, vote))
    return [_row(function, votes[function], len(ballots), by_place, learned.get(function)) for function in sorted(votes)]


def _row(
    function: str, votes: Sequence[tuple[Ballot, Vote]], sentences: int, gold: Mapping[Place, Example], learned: float | None
) -> FunctionRow:
    met = [[other for other in ballot.votes if other.function != function and _meet(vote, other)] for ballot, vote in votes]
    conflicts = sum(any(not _agree(vote, other) for other in others) for (_, vote), others in zip(votes, met, strict=True))
    labels = tuple(sorted({vote.label for _, vote in votes}))
    return FunctionRow(
        function=function,
        labels=labels,
        votes=len(votes),
        coverage=len({ballot.sentence.id for ballot, _ in votes}) / sentences,
        overlap=sum(map(bool, met)) / len(votes),
        conflict=conflicts / len(votes),
        learned=learned,
        score=_score(votes, labels, gold) if gold else None,
    )


def _meet(vote: Vote, other: Vote) -> bool:
    """Are the two about the same thing: both about the claim, or about stretches that overlap?"""
    if vote.start is None or vote.end is None or other.start is None or other.end is None:
        return vote.start is other.start is None
    return overlap((vote.start, vote.end), (other.start, other.end))


def _agree(vote: Vote, other: Vote) -> bool:
    return (vote.label, vote.start, vote.end) == (other.label, other.start, other.end)


def _place(sentence: Sentence | Example) -> Place:
    return sentence.article, sentence.text


def _score(votes: Iterable[tuple[Ballot, Vote]], labels: Sequence[str], gold: Mapping[Place, Example]) -> Score:
    judged = {(place, vote) for ballot, vote in votes if (place := _place(ballot.sentence)) in gold and _labelled(vote, gold[place])}
    correct = sum(_right(vote, gold[place]) for place, vote in judged)
    found = sum(span.label in labels for example in gold.values() for span in example.spans or ())
    return Score(correct, len(judged), found)


def _labelled(vote: Vote, gold: Example) -> bool:
    """Whether gold says anything of what the vote is about: its spans may be labelled and its claim not, or the other way round."""
    return (gold.claim if vote.start is None else gold.spans) is not None


def _right(vote: Vote, gold: Example) -> bool:
    if vote.start is None or vote.end is None:
        return vote.label == gold.claim
    if vote.label == OUTSIDE:
        return not any(vote.start <= span.start and span.end <= vote.end for span in gold.spans or ())
    return any((vote.label, vote.start, vote.end) == (span.label, span.start, span.end) for span in gold.spans or ())


def gold_scores(gold: Sequence[Example], labelled: Sequence[Example]) -> GoldScores:
    """Score weak labels against gold sentences; the two are matched by article and text. Unlabelled spans and claims are left out."""
    by_place = {_place(example): example for example in labelled}
    found = [by_place.get(_place(example)) for example in gold]
    tagged = [(example.spans, (weak and weak.spans) or ()) for example, weak in zip(gold, found, strict=True) if example.spans is not None]
    spans, predicted = [spans for spans, _ in tagged], [spans for _, spans in tagged]
    return GoldScores(
        sentences=len(gold),
        missing=found.count(None),
        strict=span_scores(spans, predicted),
        partial=span_scores(spans, predicted, partial=True),
        claims=claim_scores([example.claim for example in gold], [example.claim if example else None for example in found]),
    )


def write_report(path: str | Path, rows: Sequence[FunctionRow], sentences: int, scores: GoldScores | None) -> None:
    """Write the report as JSON, whole or not at all."""
    record: dict[str, Any] = {"sentences": sentences, "functions": [row.to_dict() for row in rows]}
    if scores:
        record["gold"] = scores.to_dict()
    with files.write_whole(path) as out:
        out.write(json.dumps(record, ensure_ascii=False, indent=2) + "\n")


def table(rows: Sequence[FunctionRow], scores: GoldScores | None = None) -> str:
    """The report for a person: functions, then the weak labels' scores by type and by class."""
    head = ("function", "labels", "votes", "coverage", "overlap", "conflict", "learned")
    cells = [(r.function, "/".join(r.labels), str(r.votes), *map(_percent, (r.coverage, r.overlap, r.conflict)), _learned(r)) for r in rows]
    if scores is None:
        return _aligned([head, *cells])
    gold = [("-", "-", "-") if r.score is None else _accuracy(r) for r in rows]
    functions = [(*row, *extra) for row, extra in zip([head, *cells], [("on gold", "right", "recall"), *gold], strict=True)]
    spans = [(label, *_ratios(score), _percent(scores.partial[label].f1)) for label, score in scores.strict.items()]
    claims = [(label, *_ratios(score)) for label, score in scores.claims.by_class.items()]
    unfound = f", {scores.missing} of them not among the labelled" if scores.missing else ""
    return "\n\n".join(
        (
            _aligned(functions),
            f"weak labels on {scores.sentences} gold sentences{unfound}",
            _aligned([("spans", "precision", "recall", "F1", "partial F1"), *spans]),
            _aligned([("claims", "precision", "recall", "F1"), *claims]),
            f"claim accuracy {_percent(scores.claims.accuracy)}, macro-F1 {_percent(scores.claims.macro_f1)} (NONE aside)",
        )
    )


def _learned(row: FunctionRow) -> str:
    return "-" if row.learned is None else _percent(row.learned)


def _accuracy(row: FunctionRow) -> tuple[str, str, str]:
    """Votes on gold sentences, the share that is right, and the recall where there is one."""
    assert row.score is not None
    recall = _percent(row.score.recall) if set(row.labels) <= set(SPAN_TYPES) else "-"
    return str(row.score.predicted), _percent(row.score.precision) if row.score.predicted else "-", recall


def _ratios(score: Score) -> tuple[str, str, str]:
    return _percent(score.precision), _percent(score.recall), _percent(score.f1)


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.1f}"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in lines
    )
