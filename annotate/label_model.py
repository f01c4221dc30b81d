"""Votes -> weak labels. A label model says, for the ballot of one sentence, which spans and which claim the functions add up to.

``fit`` makes one by name from all ballots; what it learns of the functions (nothing, for the majority) it learns there, without gold.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Protocol

from models.errors import UserError
from models.labels import CLAIMS, OUTSIDE
from models.records import Example, Range, Sentence, Span, Vote
from models.text import words

PSEUDO_VOTES = 0.25


@dataclass(frozen=True, slots=True)
class Ballot:
    """All votes on one sentence: offsets into ``sentence.text``."""

    sentence: Sentence
    votes: tuple[Vote, ...]


class LabelModel(Protocol):
    """Combines a ballot's votes."""

    def spans(self, ballot: Ballot) -> tuple[tuple[Span, ...], tuple[Range, ...]]:
        """The spans in order, each with its probability as ``score``, and the stretches on which the votes could not agree."""
        ...

    def claim(self, ballot: Ballot) -> Mapping[str, float] | None:
        """Probabilities of the claim classes, or None where no function has an opinion."""
        ...


def fit(name: str, ballots: Sequence[Ballot]) -> LabelModel:
    """The label model of that name, fitted to the ballots. Raises UserError for an unknown name."""
    match name:
        case "majority":
            return Majority()
        case "dawid-skene":
            return DawidSkene(ballots)
    raise UserError(f"annotate.label_model: there is no {name!r}; choose majority or dawid-skene")


def example(ballot: Ballot, model: LabelModel) -> Example:
    """The weak label of a sentence. Among equally probable claims the label guide's order decides."""
    spans, unsure = model.spans(ballot)
    scores = model.claim(ballot)
    return Example(
        id=ballot.sentence.id,
        text=ballot.sentence.text,
        spans=spans,
        claim=max(CLAIMS, key=lambda label: scores.get(label, 0.0)) if scores else None,
        claim_scores=scores,
        unsure=unsure,
        article=ballot.sentence.article,
    )


class Majority:
    """Most votes win, abstentions aside.

    A span's vote is for exact edges and type, both widened to whole words. Of votes that overlap, the candidate that more functions give
    wins, then the longer; its score is its share of the functions that voted there. A vote for ``O`` is one against every candidate that
    lies within it and wins a tie: it is cast by a function that knows an exception to what the others go by.
    """

    def spans(self, ballot: Ballot) -> tuple[tuple[Span, ...], tuple[Range, ...]]:
        """See LabelModel. Where the winner only won by length, the words it does not share with the loser are unsure."""
        candidates = _candidates(ballot)
        outside = [(r, functions) for (r, label), functions in candidates.items() if label == OUTSIDE]
        standing = {
            (r, label): functions
            for (r, label), functions in candidates.items()
            if label != OUTSIDE and len(functions) > len(_against(r, outside))
        }
        ranked = sorted(standing, key=lambda c: (-len(standing[c]), c[0][0] - c[0][1], c))
        taken: list[Span] = []
        unsure: set[Range] = set()
        for (start, end), label in ranked:
            rivals = [span for span in taken if span.start < end and start < span.end]
            if not rivals:
                score = len(standing[(start, end), label]) / len(_voters_at((start, end), candidates))
                taken.append(Span(label, start, end, ballot.sentence.text[start:end], score))
            for span in rivals:
                if len(standing[(start, end), label]) == len(standing[(span.start, span.end), span.label]):
                    unsure.update(_disagreement((start, end), label, span))
        return tuple(sorted(taken, key=lambda span: span.start)), tuple(sorted(unsure))

    def claim(self, ballot: Ballot) -> Mapping[str, float] | None:
        """Each class's share of the votes, a quarter of a vote given to each beforehand: one function alone is not certain."""
        count = Counter(vote.label for vote in ballot.votes if vote.start is None)
        total = count.total() + PSEUDO_VOTES * len(CLAIMS)
        return {label: (count[label] + PSEUDO_VOTES) / total for label in CLAIMS} if count else None


Candidates = Mapping[tuple[Range, str], frozenset[str]]


def _candidates(ballot: Ballot) -> Candidates:
    """(range of whole words, label) -> the functions that voted for just that."""
    edges = words(ballot.sentence.text)
    voters: defaultdict[tuple[Range, str], set[str]] = defaultdict(set)
    for vote in ballot.votes:
        if vote.start is None or vote.end is None:
            continue
        within = [(start, end) for start, end in edges if start < vote.end and vote.start < end]
        if within:
            voters[(within[0][0], within[-1][1]), vote.label].add(vote.function)
    return {candidate: frozenset(functions) for candidate, functions in voters.items()}


def _against(candidate: Range, outside: Iterable[tuple[Range, frozenset[str]]]) -> frozenset[str]:
    """The functions that say ``O`` of a stretch in which the candidate lies."""
    return frozenset().union(*(functions for (start, end), functions in outside if start <= candidate[0] and candidate[1] <= end))


def _voters_at(place: Range, candidates: Candidates) -> frozenset[str]:
    """The functions with a vote that overlaps the place."""
    return frozenset().union(*(functions for (r, _), functions in candidates.items() if r[0] < place[1] and place[0] < r[1]))


def _disagreement(loser: Range, label: str, winner: Span) -> list[Range]:
    """Where two equally supported candidates differ: all of the shared stretch if their types do, else what only one of them covers."""
    start, end = loser
    if label != winner.label:
        return [(max(start, winner.start), min(end, winner.end))]
    heads = (min(start, winner.start), max(start, winner.start))
    tails = (min(end, winner.end), max(end, winner.end))
    return [r for r in (heads, tails) if r[0] < r[1]]


class DawidSkene(Majority):
    """Spans by majority; claims by Dawid and Skene's model (1979): each function's P(vote | class), found by EM.

    To abstain is one of the votes. Most functions know one class only: what tells is when they speak, not what they say.
    The tables are smoothed towards the diagonal: a function with few votes is taken for a fairly good one, not for a perfect one.
    """

    def __init__(self, ballots: Sequence[Ballot], rounds: int = 50, smoothing: float = 1.0) -> None:
        """Fit to all ballots with a vote, from the majority's shares on; ``smoothing``: a cell's pseudo-count, twice on the diagonal."""
        opinions = [opinion for ballot in ballots if (opinion := _opinions(ballot))]
        self.smoothing = smoothing
        self.functions = sorted({function for opinion in opinions for function in opinion})
        posterior = [_shares(opinion.values()) for opinion in opinions]
        self.prior, self.tables = self._estimate(opinions, posterior)
        for _ in range(rounds):
            posterior = [self._posterior(opinion) for opinion in opinions]
            before, (self.prior, self.tables) = self.prior, self._estimate(opinions, posterior)
            if max(abs(self.prior[c] - before[c]) for c in CLAIMS) < 1e-6:
                break

    def claim(self, ballot: Ballot) -> Mapping[str, float] | None:
        """The posterior of the classes given the votes; functions that the fit has not met are left out."""
        opinion = _opinions(ballot)
        return self._posterior(opinion) if opinion else None

    def _estimate(
        self, opinions: Sequence[Mapping[str, str]], posterior: Sequence[Mapping[str, float]]
    ) -> tuple[dict[str, float], dict[str, dict[str, dict[str, float]]]]:
        """M step: the classes' prior, and for each function and class the logarithms of P(vote | class)."""
        prior = _normalised({c: 1.0 + sum(p[c] for p in posterior) for c in CLAIMS})
        tables: dict[str, dict[str, dict[str, float]]] = {}
        for function in self.functions:
            counts = {c: {vote: self.smoothing * (1 + (c == vote)) for vote in (*CLAIMS, _ABSTAIN)} for c in CLAIMS}
            for opinion, p in zip(opinions, posterior, strict=True):
                for c in CLAIMS:
                    counts[c][opinion.get(function, _ABSTAIN)] += p[c]
            tables[function] = {c: {vote: log(p) for vote, p in _normalised(counts[c]).items()} for c in CLAIMS}
        return prior, tables

    def _posterior(self, opinion: Mapping[str, str]) -> dict[str, float]:
        """E step: P(class | votes), in logarithms until the end."""
        weight = {
            c: log(self.prior[c]) + sum(self.tables[function][c][opinion.get(function, _ABSTAIN)] for function in self.functions)
            for c in CLAIMS
        }
        best = max(weight.values())
        return _normalised({c: exp(w - best) for c, w in weight.items()})


_ABSTAIN = ""


def _opinions(ballot: Ballot) -> dict[str, str]:
    """Each function's vote on the claim."""
    return {vote.function: vote.label for vote in ballot.votes if vote.start is None}


def _shares(votes: Iterable[str]) -> dict[str, float]:
    count = Counter(votes)
    return {c: count[c] / count.total() for c in CLAIMS}


def _normalised(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {c: weight / total for c, weight in weights.items()}
