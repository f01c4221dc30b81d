"""A hidden Markov model of spans: which words are in one is hidden, and each function's votes are noisy sightings of it.

After Lison et al. (skweak, 2021): the hidden states are BIO tags, the functions are independent given them, and EM finds how each speaks.
It differs where rules differ from annotators, who have an opinion of every word:

- A function that is within a span tends to go on, so that only what it begins, and where it stops, is news. Six words of one vote are
  therefore no sixfold evidence.
- There is a state ``DECOY`` for a word that draws votes and is none, such as a date. Without it a vote for ``O`` would be drowned by how
  rarely any function speaks on the sea of words that are plainly ``O``.
- EM counts a first reading, the majority's, along with its own in every round, and lends each function some votes of all that give its
  label: the model starts from the majority and cannot drift far. Left free, EM ends with spans worse than the majority's
  (a simulation in the tests).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.labels import OUTSIDE, Schema
from models.records import Range, Span, overlap
from models.text import words

from .markov import Chain, Floats, Ids, Mask, Passes, expected_steps, firsts, forward_backward, later, probability, viterbi

if TYPE_CHECKING:
    from .label_model import Ballot, SpanModel

SCHEMA = Schema()
DECOY = len(SCHEMA.tags)  # the state after the tags: O, and looks like more
STATES = DECOY + 1
BEGINS: Mask = np.isin(np.arange(STATES), [SCHEMA.begin(label) for label in SCHEMA.span_types])
EVEN = 0.6  # a word is unsure if no tag is likelier than this
BEGIN, GO_ON, STOP = "begin", "go on", "stop"


class Sighting(NamedTuple):
    """What a function does at a word: it begins a stretch of a label, goes on with it, or has stopped on the word before."""

    function: str
    label: str
    act: str


def sightings(ballot: Ballot) -> Iterator[tuple[int, Sighting]]:
    """(word, what a function does there) for all votes on spans; of one function's votes that overlap only the longest counts.

    A vote for ``O`` is about what lies within it: it says nothing of a word on which another vote reaches beyond it.
    """
    count = len(words(ballot.sentence.text))
    stretches = sorted(ballot.stretches(), key=lambda stretch: stretch.first - stretch.last)
    spans = [set(range(first, last)) for _, label, first, last in stretches if label != OUTSIDE]
    taken: defaultdict[str, set[int]] = defaultdict(set)
    for function, label, first, last in stretches:
        inside = set(range(first, last))
        if label == OUTSIDE:
            inside = inside.difference(*(span for span in spans if not span <= inside))
        if inside & taken[function]:
            continue
        taken[function] |= inside
        if label == OUTSIDE:
            yield from ((word, Sighting(function, label, BEGIN)) for word in inside)
        else:
            yield first, Sighting(function, label, BEGIN)
            yield from ((word, Sighting(function, label, GO_ON)) for word in range(first + 1, last))
            if last < count:
                yield last, Sighting(function, label, STOP)


class Corpus(NamedTuple):
    """Sentences laid end to end: their ``lengths`` in words and, in parallel, the sightings' ``places`` (words) and ``kinds`` (ids)."""

    lengths: Ids
    places: Ids
    kinds: Ids


class Counts(NamedTuple):
    """What the M step goes by: sentences by first state, steps by state and state, words by state, and sightings (kinds, states)."""

    start: Floats
    step: Floats
    words: Floats
    kinds: Floats


class SequenceModel:
    """Spans by the model that this module's docstring describes."""

    def __init__(
        self,
        ballots: Sequence[Ballot],
        first: SpanModel,
        *,
        rounds: int = 10,
        anchor: float = 1.0,
        loan: float = 5.0,
        silence: float = 0.2,
    ) -> None:
        """Fit to all ballots with a vote on a span, from the spans of ``first`` and their scores on.

        ``anchor`` is what that first reading's counts weigh beside those of EM's last round. ``loan`` is the number of votes that a
        function is lent, and of silences in each state, so that a state hardly ever seen does not seem to invite votes. ``silence`` is the
        exponent of not speaking: at 1, a function that works alone in its niche is doubted because the others of its label, which never
        speak there, do not confirm it; at 0, nothing speaks against a vote.
        """
        self.loan, self.silence = loan, silence
        voted = [ballot for ballot in ballots if ballot.stretches()]
        self.ids = {kind: i for i, kind in enumerate(sorted({kind for ballot in voted for _, kind in sightings(ballot)}))}
        corpus = self._corpus(voted)
        reading = _reading(voted, first)
        now = later(corpus.lengths)
        anchored = self._counts(corpus, reading, reading[now - 1].T @ reading[now])
        self._estimate(anchored)
        for _ in range(rounds):
            emissions = self._emissions(corpus)
            passes = forward_backward(self.chain, emissions, corpus.lengths)
            counts = self._counts(corpus, passes.posterior, expected_steps(self.chain, emissions, corpus.lengths, passes))
            self._estimate(Counts(*(own + anchor * then for own, then in zip(counts, anchored, strict=True))))

    def spans(self, ballot: Ballot) -> tuple[tuple[Span, ...], tuple[Range, ...]]:
        """See SpanModel. The spans are the likeliest path's, a score the probability of just that span; words are unsure where no tag has
        clearly most of the probability.
        """
        if not ballot.stretches():
            return (), ()
        text, edges = ballot.sentence.text, words(ballot.sentence.text)
        emissions, passes = self._passes(ballot)
        found = []
        for label, first, last in _runs(viterbi(self.chain, emissions)):
            score = probability(self.chain, emissions, passes, first, _just(label, last - first, len(edges) - first))
            start, end = edges[first][0], edges[last - 1][1]
            found.append(Span(label, start, end, text[start:end], score))
        tags = passes.posterior[:, :DECOY]
        tags[:, 0] += passes.posterior[:, DECOY]
        unsure = np.flatnonzero(np.diff(tags.max(axis=1) < EVEN, prepend=False, append=False)).reshape(-1, 2)
        return tuple(found), tuple((edges[a][0], edges[b - 1][1]) for a, b in unsure.tolist())

    def credences(self, ballot: Ballot) -> list[float]:
        """See SpanModel. A vote for ``O`` is held to be right if no span begins in its words."""
        stretches = ballot.stretches()
        if not stretches:
            return []
        emissions, passes = self._passes(ballot)
        found = []
        for _, label, first, last in stretches:
            none = np.tile(~BEGINS, (last - first, 1))
            allowed = none if label == OUTSIDE else _just(label, last - first, len(emissions) - first)
            found.append(probability(self.chain, emissions, passes, first, allowed))
        return found

    def _passes(self, ballot: Ballot) -> tuple[Floats, Passes]:
        corpus = self._corpus([ballot])
        emissions = self._emissions(corpus)
        return emissions, forward_backward(self.chain, emissions, corpus.lengths)

    def _corpus(self, ballots: Sequence[Ballot]) -> Corpus:
        """The ballots' sightings, without those of functions that the fit has not met."""
        lengths = np.array([len(words(ballot.sentence.text)) for ballot in ballots], dtype=np.int64)
        starts = firsts(lengths).tolist()
        seen = [
            (start + word, self.ids[kind])
            for start, ballot in zip(starts, ballots, strict=True)
            for word, kind in sightings(ballot)
            if kind in self.ids
        ]
        places, kinds = np.array(seen, dtype=np.int64).reshape(-1, 2).T
        return Corpus(lengths, places, kinds)

    def _emissions(self, corpus: Corpus) -> Floats:
        """The logarithm of P(sightings at a word | state), (words, states): all functions silent, and what the sightings change in that.

        A word without a vote can only be ``O``: without this rule, what usually follows what would be enough to see a span there.
        """
        size = int(corpus.lengths.sum())
        seen = [np.bincount(corpus.places, self.rows[corpus.kinds, state], size) for state in range(STATES)]
        emissions = self.silent + np.stack(seen, axis=1)
        acts = np.array([kind.act != STOP for kind in self.ids], dtype=bool)
        voted = np.zeros(size, dtype=bool)
        voted[corpus.places[acts[corpus.kinds]]] = True
        emissions[~voted, 1:] = -np.inf
        return emissions

    def _counts(self, corpus: Corpus, posterior: Floats, step: Floats) -> Counts:
        """Expected counts under P(state | sightings), (words, states)."""
        kinds = [np.bincount(corpus.kinds, posterior[corpus.places, state], len(self.ids)) for state in range(STATES)]
        return Counts(posterior[firsts(corpus.lengths)].sum(axis=0), step, posterior.sum(axis=0), np.stack(kinds, axis=1))

    def _estimate(self, counts: Counts) -> None:
        """The M step: the chain, ``silent`` (states,) and ``rows`` (kinds, states), all in logarithms."""
        with np.errstate(divide="ignore"):
            self.chain = Chain(np.log(_shares((counts.start + 1) * ALLOWED[0])), np.log(_shares((counts.step + 1) * ALLOWED)))
        pool: defaultdict[tuple[str, str], Floats] = defaultdict(lambda: np.full(STATES, 0.1))
        acts: defaultdict[str, dict[tuple[str, str], int]] = defaultdict(dict)
        for (function, label, act), i in self.ids.items():
            pool[label, act] = pool[label, act] + counts.kinds[i]
            acts[function][label, act] = i
        self.silent, self.rows = np.zeros(STATES), np.zeros((len(self.ids), STATES))
        for own in acts.values():
            lent = {i: self.loan * _shares(pool[label, act]) for (label, act), i in own.items() if act == BEGIN}
            free = counts.words - sum(counts.kinds[i] for (_, act), i in own.items() if act == GO_ON) + sum(lent.values()) + self.loan
            speaks = {i: (counts.kinds[i] + votes) / free for i, votes in lent.items()}
            quiet = self.silence * np.log1p(-np.minimum(sum(speaks.values()), 1 - 1e-6))
            self.silent += quiet
            for (label, act), i in own.items():
                if act == BEGIN:
                    self.rows[i] = np.log(speaks[i]) - quiet
                else:
                    self.rows[i] = np.log(self._carries(label, act, own, counts, pool)) - (quiet if act == GO_ON else 0.0)

    def _carries(
        self, label: str, act: str, own: Mapping[tuple[str, str], int], counts: Counts, pool: Mapping[tuple[str, str], Floats]
    ) -> Floats:
        """P(a function that is within a stretch goes on, or else stops | state of the word after), (states,)."""
        lent = self.loan * pool[label, act] / (pool[label, GO_ON] + pool[label, STOP])
        total = sum(counts.kinds[own[label, other]] for other in (GO_ON, STOP) if (label, other) in own)
        share: Floats = (counts.kinds[own[label, act]] + lent) / (total + self.loan)
        return share


def _reading(ballots: Sequence[Ballot], model: SpanModel) -> Floats:
    """P(state), (words, states), as another model has it: a span's words have its tags by its score, else what was voted on is DECOY."""
    found = []
    for ballot in ballots:
        edges = words(ballot.sentence.text)
        states = np.zeros((len(edges), STATES))
        states[:, 0] = 1.0
        for stretch in ballot.stretches():
            states[stretch.first : stretch.last] = np.eye(STATES)[DECOY]
        for span in model.spans(ballot)[0]:
            first, *rest = (i for i, word in enumerate(edges) if overlap(span.range, word))
            states[[first, *rest]] *= 1 - span.score
            states[first, SCHEMA.begin(span.label)] += span.score
            states[rest, SCHEMA.inside(span.label)] += span.score
        found.append(states)
    return np.concatenate([np.empty((0, STATES)), *found])


def _shares(counts: Floats) -> Floats:
    shares: Floats = counts / counts.sum(axis=-1, keepdims=True)
    return shares


def _allowed() -> Floats:
    """(from, to), 1 where a state may follow another; what may follow ``O`` may also begin a sentence."""
    allowed = np.ones((STATES, STATES))
    for label in SCHEMA.span_types:
        inside = SCHEMA.inside(label)
        allowed[:, inside] = 0
        allowed[[SCHEMA.begin(label), inside], inside] = 1
    return allowed


ALLOWED = _allowed()


def _just(label: str, size: int, left: int) -> Mask:
    """The states of a span's ``size`` words and of the word after it, where the sentence has more ``left``."""
    states = np.arange(STATES)
    begin, inside = SCHEMA.begin(label), SCHEMA.inside(label)
    allowed: Mask = np.stack([states == begin, *[states == inside] * (size - 1), states != inside])
    return allowed[:left]


def _runs(path: Ids) -> Iterator[tuple[str, int, int]]:
    """(label, first word, past the last) of a path's spans."""
    for first in np.flatnonzero(BEGINS[path]).tolist():
        last = first + 1
        while last < len(path) and path[last] == path[first] + 1:
            last += 1
        yield SCHEMA.span_types[(path[first] - 1) // 2], first, last
