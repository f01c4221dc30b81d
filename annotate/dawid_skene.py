"""Dawid and Skene's model (1979) of a claim's votes: each function's P(vote | class), found by EM without gold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.labels import CLAIMS

if TYPE_CHECKING:
    from .label_model import Ballot

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

ABSTAIN = len(CLAIMS)
UNASKED = -1
LEAST = 1e-10  # a probability


class Tables(NamedTuple):
    """Logarithms of the classes' ``prior``, (classes,), and of each worker's P(vote | class), ``votes`` (votes, workers, classes)."""

    prior: Floats
    votes: Floats


def estimate(votes: Ids, start: Floats, *, smoothing: float, anchor: float = 0.0, rounds: int = 50, tolerance: float = 1e-6) -> Tables:
    """Fit to ``votes`` (tasks, workers), ids with ``UNASKED`` for none, by EM from the posteriors ``start`` (tasks, classes).

    The ids may go beyond the classes': to abstain is one. ``smoothing`` is what each cell of the tables and of the prior is given
    beforehand, a cell where vote and class agree twice that; 0 is the maximum likelihood. ``anchor`` is what the votes weigh as ``start``
    reads them, beside EM's own reading, in every round; 0 leaves EM free.
    It ends after the ``rounds``, or once no class's prior moves by the ``tolerance``.
    """
    tables = _m_step(votes, start, smoothing)
    for _ in range(rounds):
        before, tables = tables, _m_step(votes, posterior(votes, tables) + anchor * start, smoothing)
        if np.abs(np.exp(tables.prior) - np.exp(before.prior)).max() < tolerance:
            break
    return tables


def posterior(votes: Ids, tables: Tables) -> Floats:
    """The E step: P(class | a task's votes), (tasks, classes), of ``votes`` (tasks, workers)."""
    weights = tables.prior + sum((votes == vote) @ table for vote, table in enumerate(tables.votes))
    likely = np.exp(weights - weights.max(axis=1, keepdims=True))
    result: Floats = likely / likely.sum(axis=1, keepdims=True)
    return result


def _m_step(votes: Ids, likely: Floats, smoothing: float) -> Tables:
    """Tables from counts of the votes by class; ``likely`` (tasks, classes) need not sum to 1."""
    classes = likely.shape[1]
    ids = max(int(votes.max(initial=0)) + 1, classes)
    counts = np.stack([(votes == vote).T.astype(float) @ likely for vote in range(ids)])
    counts += smoothing * (1 + np.eye(ids, classes))[:, None, :]
    counts = np.maximum(counts, LEAST)
    prior = np.maximum(likely.sum(axis=0) + smoothing, LEAST)
    return Tables(np.log(prior / prior.sum()), np.log(counts / counts.sum(axis=0)))


class DawidSkene:
    """Claims by Dawid and Skene's model. To abstain is one of the votes: most functions know one class only, and what tells is when they
    speak, not what they say. A function with few votes is taken for a fairly good one, not for a perfect one. The majority's reading counts
    as much as EM's own: left free, on a few sentences, one class takes all.
    """

    def __init__(self, ballots: Sequence[Ballot], smoothing: float = 1.0, anchor: float = 1.0) -> None:
        """Fit to all ballots with a vote on the claim, from the majority's shares on."""
        voted = [ballot for ballot in ballots if any(vote.start is None for vote in ballot.votes)]
        functions = sorted({vote.function for ballot in voted for vote in ballot.votes if vote.start is None})
        self.columns = {function: i for i, function in enumerate(functions)}
        votes = np.stack([self._row(ballot) for ballot in voted]) if voted else np.empty((0, 0), dtype=np.int64)
        count = np.stack([(votes == claim).sum(axis=1) for claim in range(len(CLAIMS))], axis=1).astype(float)
        self.tables = estimate(votes, count / count.sum(axis=1, keepdims=True), smoothing=smoothing, anchor=anchor)

    def claim(self, ballot: Ballot) -> Mapping[str, float] | None:
        """The posterior of the classes given the votes, None without one; functions that the fit has not met are left out."""
        if all(vote.start is not None for vote in ballot.votes):
            return None
        scores = posterior(self._row(ballot)[None, :], self.tables)[0]
        return dict(zip(CLAIMS, scores.tolist(), strict=True))

    def _row(self, ballot: Ballot) -> Ids:
        """Each function's vote, (functions,)."""
        row = np.full(len(self.columns), ABSTAIN, dtype=np.int64)
        for vote in ballot.votes:
            if vote.start is None and vote.function in self.columns:
                row[self.columns[vote.function]] = CLAIMS.index(vote.label)
        return row
