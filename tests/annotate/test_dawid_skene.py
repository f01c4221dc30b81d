"""Dawid-Skene against crowd-kit's, against the confusion that a simulation was made with, and on ballots."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import DawidSkene as CrowdKit

from annotate.dawid_skene import UNASKED, DawidSkene, Floats, Ids, estimate, posterior
from annotate.label_model import Ballot, LabelModel, Majority, example
from models.labels import CLAIMS
from models.records import Sentence, Vote

CONFUSIONS = np.array(  # a worker, a class, P(vote)
    [
        [[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.05, 0.05, 0.9]],
        [[0.6, 0.3, 0.1], [0.1, 0.6, 0.3], [0.3, 0.1, 0.6]],
        [[0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8]],
        [[0.4, 0.3, 0.3], [0.3, 0.4, 0.3], [0.3, 0.3, 0.4]],
    ]
)


def simulated(tasks: int, seed: int) -> tuple[Ids, Ids, Floats]:
    """(truth, votes with one in five unasked, the majority's shares)."""
    chance = np.random.default_rng(seed)
    truth = chance.choice(3, tasks, p=[0.5, 0.3, 0.2])
    votes = np.array([[chance.choice(3, p=worker[t]) for worker in CONFUSIONS] for t in truth])
    votes[:, 1:][chance.random((tasks, 3)) < 0.2] = UNASKED
    shares = np.stack([(votes == c).sum(axis=1) for c in range(3)], axis=1) / (votes != UNASKED).sum(axis=1, keepdims=True)
    return truth, votes, shares


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*(inplace|copy) keyword")  # crowd-kit on pandas 3
@pytest.mark.parametrize("seed", [1, 2])
def test_without_smoothing_it_is_crowd_kits(seed: int) -> None:
    _, votes, shares = simulated(300, seed)
    asked = [(task, worker, vote) for (task, worker), vote in np.ndenumerate(votes) if vote != UNASKED]
    theirs = CrowdKit(n_iter=20, tol=-1.0).fit(pd.DataFrame(asked, columns=["task", "worker", "label"]))
    ours = estimate(votes, shares, smoothing=0.0, rounds=20, tolerance=0.0)
    errors = theirs.errors_.sort_index().sort_index(axis=1).to_numpy().reshape(len(CONFUSIONS), 3, 3).transpose(1, 0, 2)
    np.testing.assert_allclose(np.exp(ours.votes), errors, atol=1e-9)
    np.testing.assert_allclose(np.exp(ours.prior), theirs.priors_.sort_index().to_numpy(), atol=1e-9)
    before = estimate(votes, shares, smoothing=0.0, rounds=19, tolerance=0.0)  # crowd-kit's posteriors are those of its last E step
    np.testing.assert_allclose(posterior(votes, before), theirs.probas_.sort_index(axis=1).sort_index().to_numpy(), atol=1e-9)


def test_it_finds_the_confusions_of_the_simulation() -> None:
    truth, votes, shares = simulated(4000, 4)
    tables = estimate(votes, shares, smoothing=1.0)
    np.testing.assert_allclose(np.exp(tables.votes).transpose(1, 2, 0), CONFUSIONS, atol=0.08)
    np.testing.assert_allclose(np.exp(tables.prior), [0.5, 0.3, 0.2], atol=0.05)
    assert (posterior(votes, tables).argmax(axis=1) == truth).mean() > (shares.argmax(axis=1) == truth).mean() + 0.02


def test_anchored_it_does_not_leave_the_start_far_behind() -> None:
    _, votes, shares = simulated(400, 5)
    free, held = (posterior(votes, estimate(votes, shares, smoothing=0.0, anchor=anchor)) for anchor in (0.0, 100.0))
    once = posterior(votes, estimate(votes, shares, smoothing=0.0, rounds=0))
    assert np.abs(held - once).max() < 0.05 < np.abs(free - once).max()


def ballot(*votes: tuple[str, str]) -> Ballot:
    return Ballot(Sentence("a-001", "a", 0, 4, "متن."), tuple(Vote(function, claim) for function, claim in votes))


def test_it_finds_out_whom_to_trust() -> None:
    chance = random.Random(5)
    truth = [chance.choice(CLAIMS) for _ in range(600)]

    def opinion(claim: str, accuracy: float) -> str:
        return claim if chance.random() < accuracy else chance.choice(CLAIMS)

    ballots = [
        ballot(("good", opinion(t, 0.95)), ("fair", opinion(t, 0.7)), ("poor", opinion(t, 0.2)), ("bad", opinion(t, 0.2))) for t in truth
    ]

    def accuracy(model: LabelModel) -> float:
        return sum(example(b, model).claim == t for b, t in zip(ballots, truth, strict=True)) / len(truth)

    majority = Majority()
    assert accuracy(LabelModel(majority, DawidSkene(ballots))) > accuracy(LabelModel(majority, majority)) + 0.05


def test_posteriors_sum_to_one_and_a_stranger_is_left_out() -> None:
    model = DawidSkene([ballot(("f", "POLICY"), ("g", "STATISTIC")), ballot(("f", "POLICY"))])
    scores = model.claim(ballot(("f", "POLICY"), ("unseen", "STATISTIC")))
    assert scores is not None
    assert sum(scores.values()) == pytest.approx(1.0)
    assert scores == model.claim(ballot(("f", "POLICY")))
    assert model.claim(ballot()) is None


def test_without_any_vote_there_is_nothing_to_fit_and_no_claim() -> None:
    assert DawidSkene([ballot()]).claim(ballot()) is None
