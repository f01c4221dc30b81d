"""Forward-backward, Viterbi, expected steps and the probability of a stretch, each against the enumeration of all paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.markov import Chain, Floats, expected_steps, firsts, forward_backward, later, probability, viterbi

STATES = 3


@st.composite
def problems(draw: st.DrawFn) -> tuple[Chain, list[Floats]]:
    """A chain in which state 2 follows only 1 and itself, and the emissions of a few short sentences."""
    chance = np.random.default_rng(draw(st.integers(0, 10**6)))
    start, step = chance.random(STATES), chance.random((STATES, STATES))
    start[2] = step[0, 2] = 0
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    with np.errstate(divide="ignore"):
        chain = Chain(np.log(start / start.sum()), np.log(step / step.sum(axis=1, keepdims=True)))
    return chain, [chance.normal(0, 3, (size, STATES)) for size in sizes]


def paths(chain: Chain, emissions: Floats) -> dict[tuple[int, ...], float]:
    """Every path's joint probability with what is seen."""
    found = {}
    for path in itertools.product(range(STATES), repeat=len(emissions)):
        weight = chain.start[path[0]] + sum(chain.step[a, b] for a, b in itertools.pairwise(path))
        found[path] = float(np.exp(weight + sum(emissions[i, state] for i, state in enumerate(path))))
    return found


@given(problems())
def test_posteriors_and_evidence_are_the_enumerations(problem: tuple[Chain, list[Floats]]) -> None:
    chain, sentences = problem
    lengths = np.array([len(sentence) for sentence in sentences])
    passes = forward_backward(chain, np.concatenate(sentences), lengths)
    for first, sentence in zip(firsts(lengths), sentences, strict=True):
        weights = paths(chain, sentence)
        expected = np.zeros((len(sentence), STATES))
        for path, weight in weights.items():
            expected[np.arange(len(path)), path] += weight
        total = sum(weights.values())
        np.testing.assert_allclose(passes.posterior[first : first + len(sentence)], expected / total, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(passes.evidence[first : first + len(sentence)], np.log(total), rtol=1e-9, atol=1e-9)


@given(problems())
def test_expected_steps_are_the_enumerations(problem: tuple[Chain, list[Floats]]) -> None:
    chain, sentences = problem
    emissions, lengths = np.concatenate(sentences), np.array([len(sentence) for sentence in sentences])
    expected = np.zeros((STATES, STATES))
    for sentence in sentences:
        weights = paths(chain, sentence)
        for path, weight in weights.items():
            for pair in itertools.pairwise(path):
                expected[pair] += weight / sum(weights.values())
    found = expected_steps(chain, emissions, lengths, forward_backward(chain, emissions, lengths))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@given(problems())
def test_viterbi_is_the_likeliest_of_all_paths(problem: tuple[Chain, list[Floats]]) -> None:
    chain, sentences = problem
    for sentence in sentences:
        weights = paths(chain, sentence)
        assert tuple(viterbi(chain, sentence)) == max(weights, key=lambda path: weights[path])


@given(problems(), st.data())
def test_the_probability_of_a_stretch_is_the_sum_over_its_paths(problem: tuple[Chain, list[Floats]], data: st.DataObject) -> None:
    chain, (sentence, *_) = problem
    first = data.draw(st.integers(0, len(sentence) - 1))
    size = data.draw(st.integers(1, len(sentence) - first))
    allowed = np.array(data.draw(st.lists(st.lists(st.booleans(), min_size=STATES, max_size=STATES), min_size=size, max_size=size)))
    weights = paths(chain, sentence)
    wanted = sum(w for path, w in weights.items() if all(allowed[i, path[first + i]] for i in range(size)))
    passes = forward_backward(chain, sentence, np.array([len(sentence)]))
    assert probability(chain, sentence, passes, first, allowed) == pytest.approx(wanted / sum(weights.values()), abs=1e-12)


def test_first_and_later_words() -> None:
    assert firsts(np.array([2, 1, 3])).tolist() == [0, 2, 3]
    assert later(np.array([2, 1, 3])).tolist() == [1, 4, 5]


def test_a_long_sentence_does_not_underflow() -> None:
    chain = Chain(np.log([0.5, 0.5, 1e-9]), np.log(np.full((STATES, STATES), 1 / STATES)))
    passes = forward_backward(chain, np.full((3000, STATES), -50.0), np.array([3000]))
    np.testing.assert_allclose(passes.posterior.sum(axis=1), 1.0, rtol=1e-6)
