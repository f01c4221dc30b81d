"""Hidden Markov chains over many sentences at once: forward-backward, Viterbi and expected steps, in logarithms (Rabiner, 1989).

Sentences are laid end to end: ``emissions`` (words, states) holds log P(what is seen at a word | state), ``lengths`` (sentences,) the
sentences' words, none 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Chain(NamedTuple):
    """Logarithms of the first state's probabilities, (states,), and of the steps', (states, states), from and to; -inf: impossible."""

    start: Floats
    step: Floats


class Passes(NamedTuple):
    """What forward-backward finds, in logarithms: ``forward`` and ``backward`` (words, states), ``evidence`` (words,): P(its sentence)."""

    forward: Floats
    backward: Floats
    evidence: Floats

    @property
    def posterior(self) -> Floats:
        """P(state | all that is seen), (words, states)."""
        posterior: Floats = np.exp(self.forward + self.backward - self.evidence[:, None])
        return posterior


def firsts(lengths: Ids) -> Ids:
    """The sentences' first words, (sentences,)."""
    starts: Ids = np.cumsum(lengths) - lengths
    return starts


def later(lengths: Ids) -> Ids:
    """All words but the sentences' first."""
    return np.setdiff1d(np.arange(lengths.sum()), firsts(lengths), assume_unique=True)


def forward_backward(chain: Chain, emissions: Floats, lengths: Ids) -> Passes:
    """Both passes, a word of every sentence at a time."""
    starts = firsts(lengths)
    rounds = [starts[lengths > t] + t for t in range(int(lengths.max(initial=0)))]
    forward, backward = np.empty_like(emissions), np.zeros_like(emissions)
    forward[starts] = chain.start + emissions[starts]
    for now in rounds[1:]:
        forward[now] = _through(forward[now - 1], chain.step) + emissions[now]
    for now in reversed(rounds[1:]):
        backward[now - 1] = _through(emissions[now] + backward[now], chain.step.T)
    return Passes(forward, backward, np.repeat(_total(forward[starts + lengths - 1]), lengths))


def expected_steps(chain: Chain, emissions: Floats, lengths: Ids, passes: Passes) -> Floats:
    """How often each state is expected to follow each, (states, states), from and to."""
    now = later(lengths)
    here, there = passes.forward[now - 1], emissions[now] + passes.backward[now]
    top, other = here.max(axis=1, initial=-np.inf), there.max(axis=1, initial=-np.inf)
    scale = np.exp(top + other - passes.evidence[now])
    steps: Floats = np.exp(chain.step) * ((np.exp(here - top[:, None]) * scale[:, None]).T @ np.exp(there - other[:, None]))
    return steps


def viterbi(chain: Chain, emissions: Floats) -> Ids:
    """The likeliest states, (words,), of one sentence."""
    best = emissions.copy()
    best[0] += chain.start
    for i in range(1, len(best)):
        best[i] += (best[i - 1][:, None] + chain.step).max(axis=0)
    path: Ids = best.argmax(axis=1)
    for i in reversed(range(len(best) - 1)):
        path[i] = (best[i] + chain.step[:, path[i + 1]]).argmax()
    return path


def probability(chain: Chain, emissions: Floats, passes: Passes, first: int, allowed: Mask) -> float:
    """P(the words from ``first`` on are in the ``allowed`` states | all that is seen) in one sentence; ``allowed`` (some words, states)."""
    barred = np.where(allowed, 0.0, -np.inf)
    weights = passes.forward[first : first + 1] + barred[0]
    for word, bar in enumerate(barred[1:], first + 1):
        weights = _through(weights, chain.step) + emissions[word] + bar
    total = _total(weights + passes.backward[first + len(allowed) - 1])[0]
    return float(np.exp(min(total - passes.evidence[first], 0.0)))


def _through(weights: Floats, step: Floats) -> Floats:
    """log(exp(weights) @ exp(step)), (n, states), without leaving the numbers' range."""
    top = _top(weights)
    with np.errstate(divide="ignore"):
        result: Floats = np.log(np.exp(weights - top) @ np.exp(step)) + top
    return result


def _total(weights: Floats) -> Floats:
    """The logarithm of the sum over states, (n,)."""
    top = _top(weights)
    with np.errstate(divide="ignore"):
        total: Floats = np.log(np.exp(weights - top).sum(axis=1)) + top[:, 0]
    return total


def _top(weights: Floats) -> Floats:
    """The greatest of each row, (n, 1); 0 for a row of impossible states."""
    top = weights.max(axis=1, keepdims=True)
    return np.where(np.isneginf(top), 0.0, top)
