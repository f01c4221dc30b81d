"""The bootstrap: how sure a figure is, or a gain of one system over another, given that other sentences might have been drawn.

Efron and Tibshirani (1993), as Koehn (2004) and Berg-Kirkpatrick et al. (2012) use it: sentences are drawn with replacement; of two systems
the same ones for both, and their figures compared draw by draw. Intervals are percentiles of the draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.labels import CLAIMS, SPAN_TYPES
from models.records import Example, PredictedSentence
from models.scoring import MICRO, Score, claim_scores, span_scores

from .evaluate import sure

DRAWS = 5_000
SEED = 13
QUANTILES = (0.025, 0.975)
_BATCH = 500  # draws at once: memory

# (sentences, groups, 3): how many labels of a group are correct, predicted and in gold; a system's figure is the mean of its groups' F1
Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gain:
    """A difference of two F1: ``mean``, the 95 % interval from ``low`` to ``high``, and the share of draws that are ``above`` 0."""

    mean: float
    low: float
    high: float
    above: float


def span_counts(gold: Sequence[Example], read: Sequence[PredictedSentence], span_types: Sequence[str] = SPAN_TYPES) -> Counts:
    """One group, all span types together: strict micro-F1. Sentences without span labels count nothing."""
    pairs = [
        (sure(e.spans, e.unsure), sure(p.spans, e.unsure)) if e.spans is not None else ((), ()) for e, p in zip(gold, read, strict=True)
    ]
    return _array([[span_scores([right], [guess], span_types)[MICRO]] for right, guess in pairs])


def claim_counts(gold: Sequence[Example], read: Sequence[PredictedSentence]) -> Counts:
    """A group a claim class: macro-F1."""
    pairs = [(e.claim, p.claim.label if p.claim else None) for e, p in zip(gold, read, strict=True)]
    by_class = [claim_scores([right], [guess]).by_class for right, guess in pairs]
    return _array([[scores[label] for label in CLAIMS] for scores in by_class])


def _array(scores: Sequence[Sequence[Score]]) -> Counts:
    return np.array([[(s.correct, s.predicted, s.gold) for s in row] for row in scores], dtype=np.float64)


def gain(ours: Sequence[Counts], theirs: Sequence[Counts], draws: int = DRAWS, seed: int = SEED) -> Gain:
    """How far ``ours`` is above ``theirs``; each is a system's counts of the same sentences, once a seed, its figure the seeds' mean."""
    gains = np.concatenate([_figure(times, ours) - _figure(times, theirs) for times in _drawn(len(ours[0]), draws, seed)])
    low, high = np.quantile(gains, QUANTILES)
    return Gain(*(round(float(figure), 4) for figure in (gains.mean(), low, high, (gains > 0).mean())))


def interval(counts: Counts, draws: int = DRAWS, seed: int = SEED) -> tuple[float, float]:
    """The 95 % interval of one system's figure, from low to high; ``counts`` of one sentence or more."""
    figures = np.concatenate([_figure(times, [counts]) for times in _drawn(len(counts), draws, seed)])
    low, high = np.quantile(figures, QUANTILES)
    return round(float(low), 4), round(float(high), 4)


def _drawn(sentences: int, draws: int, seed: int) -> Iterator[npt.NDArray[np.float64]]:
    """Batches of draws: how many times, (draws, sentences), each sentence is in each draw."""
    rng = np.random.default_rng(seed)
    for first in range(0, draws, _BATCH):
        yield rng.multinomial(sentences, np.full(sentences, 1 / sentences), size=min(_BATCH, draws - first)).astype(np.float64)


def _figure(times: npt.NDArray[np.float64], seeds: Sequence[Counts]) -> npt.NDArray[np.float64]:
    """(draws,): the figure of each draw, given how many ``times``, (draws, sentences), it has each sentence."""
    correct, predicted, gold = np.moveaxis(np.tensordot(times, np.stack(seeds, axis=1), axes=1), -1, 0)  # each (draws, seeds, groups)
    f1 = np.divide(2 * correct, predicted + gold, out=np.zeros_like(correct), where=predicted + gold > 0)
    mean: npt.NDArray[np.float64] = f1.mean(axis=(1, 2))
    return mean
