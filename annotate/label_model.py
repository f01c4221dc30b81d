"""Votes -> weak labels. A label model says, for the ballot of one sentence, which spans and which claim the functions add up to.

``fit`` makes one by name from all ballots; what it learns of the functions (nothing, for the majority) it learns there, without gold.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from models.errors import UserError
from models.labels import CLAIMS, OUTSIDE
from models.records import Example, Range, Sentence, Span, Vote, overlap
from models.text import words

from .dawid_skene import DawidSkene
from .sequence_model import SequenceModel

PSEUDO_VOTES = 0.25


class Stretch(NamedTuple):
    """A vote on the words [first, last) of a sentence."""

    function: str
    label: str
    first: int
    last: int

    def range(self, edges: Sequence[Range]) -> Range:
        """Its characters, given the words' ranges."""
        return edges[self.first][0], edges[self.last - 1][1]


@dataclass(frozen=True, slots=True)
class Ballot:
    """All votes on one sentence: offsets into ``sentence.text``."""

    sentence: Sentence
    votes: tuple[Vote, ...]

    def stretches(self) -> list[Stretch]:
        """The votes on spans, widened to whole words."""
        edges = words(self.sentence.text)
        found = []
        for vote in self.votes:
            if vote.start is not None and vote.end is not None:
                within = [i for i, word in enumerate(edges) if overlap(word, (vote.start, vote.end))]
                if within:
                    found.append(Stretch(vote.function, vote.label, within[0], within[-1] + 1))
        return found


class SpanModel(Protocol):
    """Combines a ballot's votes on spans."""

    def spans(self, ballot: Ballot) -> tuple[tuple[Span, ...], tuple[Range, ...]]:
        """The spans in order, each with its probability as ``score``, and the stretches on which the votes could not agree."""
        ...

    def credences(self, ballot: Ballot) -> list[float]:
        """For each of ``ballot.stretches()`` the probability that it is right: that there is just this span, or for ``O`` none within."""
        ...


class ClaimModel(Protocol):
    """Combines a ballot's votes on the claim."""

    def claim(self, ballot: Ballot) -> Mapping[str, float] | None:
        """Probabilities of the claim classes, or None where no function has an opinion."""
        ...


@dataclass(frozen=True, slots=True)
class LabelModel:
    """What combines a ballot's votes."""

    on_spans: SpanModel
    on_claims: ClaimModel


def fit(name: str, ballots: Sequence[Ballot]) -> LabelModel:
    """The label model of that name, fitted to the ballots. Raises UserError for an unknown name."""
    majority = Majority()
    match name:
        case "majority":
            return LabelModel(majority, majority)
        case "dawid-skene":
            return LabelModel(majority, DawidSkene(ballots))
        case "hmm":
            return LabelModel(SequenceModel(ballots, majority), majority)
    raise UserError(f"annotate.label_model: there is no {name!r}; choose majority, dawid-skene or hmm")


def example(ballot: Ballot, model: LabelModel) -> Example:
    """The weak label of a sentence. Among equally probable claims the label guide's order decides."""
    spans, unsure = model.on_spans.spans(ballot)
    scores = model.on_claims.claim(ballot)
    return Example(
        id=ballot.sentence.id,
        text=ballot.sentence.text,
        spans=spans,
        claim=max(CLAIMS, key=lambda label: scores.get(label, 0.0)) if scores else None,
        claim_scores=scores,
        unsure=unsure,
        article=ballot.sentence.article,
    )


def learned(ballots: Iterable[Ballot], model: LabelModel) -> dict[str, float]:
    """What the model holds of each function: the mean probability, over its votes, that the vote is right. For the majority it is how
    far the function agrees with it.
    """
    credences: defaultdict[str, list[float]] = defaultdict(list)
    for ballot in ballots:
        for stretch, credence in zip(ballot.stretches(), model.on_spans.credences(ballot), strict=True):
            credences[stretch.function].append(credence)
        for vote in ballot.votes:
            if vote.start is None and (scores := model.on_claims.claim(ballot)):
                credences[vote.function].append(scores[vote.label])
    return {function: sum(found) / len(found) for function, found in credences.items()}


class Majority:
    """Most votes win, abstentions aside.

    A span's vote is for exact edges and type, both widened to whole words. Of votes that overlap, the candidate that more functions give
    wins, then the longer; its score is its share of the functions that voted there. A vote for ``O`` is one against every candidate that
    lies within it and wins a tie: it is cast by a function that knows an exception to what the others go by.
    """

    def spans(self, ballot: Ballot) -> tuple[tuple[Span, ...], tuple[Range, ...]]:
        """See SpanModel. Where the winner only won by length, the words it does not share with the loser are unsure."""
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
        for place, label in ranked:
            rivals = [span for span in taken if overlap(span.range, place)]
            if not rivals:
                score = len(standing[place, label]) / len(_voters_at(place, candidates))
                taken.append(Span(label, *place, ballot.sentence.text[slice(*place)], score))
            for span in rivals:
                if len(standing[place, label]) == len(standing[span.range, span.label]):
                    unsure.update(_disagreement(place, label, span))
        return tuple(sorted(taken, key=lambda span: span.start)), tuple(sorted(unsure))

    def credences(self, ballot: Ballot) -> list[float]:
        """See SpanModel: the score of a vote that won and 0 for one that lost; for ``O`` what the best span within leaves of 1."""
        edges = words(ballot.sentence.text)
        chosen = self.spans(ballot)[0]
        scores = {(span.range, span.label): span.score for span in chosen}
        found = []
        for stretch in ballot.stretches():
            place = start, end = stretch.range(edges)
            within = [span.score for span in chosen if start <= span.start and span.end <= end]
            won = scores.get((place, stretch.label), 0.0)
            found.append(1 - max(within, default=0.0) if stretch.label == OUTSIDE else won)
        return found

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
    for stretch in ballot.stretches():
        voters[stretch.range(edges), stretch.label].add(stretch.function)
    return {candidate: frozenset(functions) for candidate, functions in voters.items()}


def _against(candidate: Range, outside: Iterable[tuple[Range, frozenset[str]]]) -> frozenset[str]:
    """The functions that say ``O`` of a stretch in which the candidate lies."""
    return frozenset().union(*(functions for (start, end), functions in outside if start <= candidate[0] and candidate[1] <= end))


def _voters_at(place: Range, candidates: Candidates) -> frozenset[str]:
    """The functions with a vote that overlaps the place."""
    return frozenset().union(*(functions for (r, _), functions in candidates.items() if overlap(r, place)))


def _disagreement(loser: Range, label: str, winner: Span) -> list[Range]:
    """Where two equally supported candidates differ: all of the shared stretch if their types do, else what only one of them covers."""
    start, end = loser
    if label != winner.label:
        return [(max(start, winner.start), min(end, winner.end))]
    heads = (min(start, winner.start), max(start, winner.start))
    tails = (min(end, winner.end), max(end, winner.end))
    return [r for r in (heads, tails) if r[0] < r[1]]
