"""The paired bootstrap: how sure a gain of one system over another is, given that other sentences might have been drawn.

Efron and Tibshirani (1993), as Koehn (2004) and Berg-Kirkpatrick et al. (2012) use it: the same sentences are drawn, with replacement, for
both systems, and their figures compared draw by draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.labels import CLAIMS
from models.records import Example, PredictedSentence
from models.scoring import MICRO, Score, claim_scores, span_scores

from .evaluate import sure

DRAWS = 5_000
SEED = 13
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


def span_counts(gold: Sequence[Example], read: Sequence[PredictedSentence]) -> Counts:
    """One group, all span types together: strict micro-F1. Sentences without span labels count nothing."""
    pairs = [
        (sure(e.spans, e.unsure), sure(p.spans, e.unsure)) if e.spans is not None else ((), ()) for e, p in zip(gold, read, strict=True)
    ]
    return _array([[span_scores([right], [guess])[MICRO]] for right, guess in pairs])


def claim_counts(gold: Sequence[Example], read: Sequence[PredictedSentence]) -> Counts:
    """A group a claim class: macro-F1."""
    pairs = [(e.claim, p.claim.label if p.claim else None) for e, p in zip(gold, read, strict=True)]
    by_class = [claim_scores([right], [guess]).by_class for right, guess in pairs]
    return _array([[scores[label] for label in CLAIMS] for scores in by_class])


def _array(scores: Sequence[Sequence[Score]]) -> Counts:
    return np.array([[(s.correct, s.predicted, s.gold) for s in row] for row in scores], dtype=np.float64)


def gain(ours: Sequence[Counts], theirs: Sequence[Counts], draws: int = DRAWS, seed: int = SEED) -> Gain:
    """How far ``ours`` is above ``theirs``; each is a system's counts of the same sentences, once a seed, its figure the seeds' mean."""
    rng = np.random.default_rng(seed)
    sentences = len(ours[0])
    batches = []
    for first in range(0, draws, _BATCH):
        times = rng.multinomial(sentences, np.full(sentences, 1 / sentences), size=min(_BATCH, draws - first)).astype(np.float64)
        batches.append(_figure(times, ours) - _figure(times, theirs))
    gains = np.concatenate(batches)
    low, high = np.quantile(gains, [0.025, 0.975])
    return Gain(*(round(float(figure), 4) for figure in (gains.mean(), low, high, (gains > 0).mean())))


def _figure(times: npt.NDArray[np.float64], seeds: Sequence[Counts]) -> npt.NDArray[np.float64]:
    """(draws,): the figure of each draw, given how many ``times``, (draws, sentences), it has each sentence."""
    correct, predicted, gold = np.moveaxis(np.tensordot(times, np.stack(seeds, axis=1), axes=1), -1, 0)  # each (draws, seeds, groups)
    f1 = np.divide(2 * correct, predicted + gold, out=np.zeros_like(correct), where=predicted + gold > 0)
    mean: npt.NDArray[np.float64] = f1.mean(axis=(1, 2))
    return mean
