from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.labels import CLAIMS
from models.records import Claim, PredictedSentence, read_examples
from train.bootstrap import _figure, claim_counts, gain, interval, span_counts
from train.evaluate import score

GOLD = read_examples("seeds/gold.jsonl")


def read_as(example, spans, claim):
    scores = dict.fromkeys(CLAIMS, 0.1) | ({claim: 0.8} if claim in CLAIMS else {})
    return PredictedSentence(0, len(example.text), example.text, Claim(claim if claim in CLAIMS else None, 0.8, scores), spans)


RIGHT = [read_as(e, e.spans, e.claim) for e in GOLD]
WORSE = [replace(p, spans=p.spans[1:]) if i % 2 else replace(p, claim=replace(p.claim, label="POLICY")) for i, p in enumerate(RIGHT)]


@pytest.mark.parametrize("read", [RIGHT, WORSE])
def test_counts_give_the_figures_of_the_report(read):
    once = np.ones((1, len(GOLD)))
    report = score(GOLD, read)
    assert _figure(once, [span_counts(GOLD, read)]).item() == pytest.approx(report["spans"]["micro"]["f1"], abs=1e-4)
    assert _figure(once, [claim_counts(GOLD, read)]).item() == pytest.approx(report["claims"]["macro_f1"], abs=1e-4)


@pytest.mark.parametrize("count", [span_counts, claim_counts])
def test_a_system_gains_nothing_over_itself(count):
    found = gain([count(GOLD, WORSE)], [count(GOLD, WORSE)])
    assert (found.mean, found.low, found.high, found.above) == (0, 0, 0, 0)


@pytest.mark.parametrize("count", [span_counts, claim_counts])
def test_a_clear_gain_is_above_0_and_a_loss_below(count):
    right, worse = count(GOLD, RIGHT), count(GOLD, WORSE)
    up, down = gain([right], [worse], draws=1000), gain([worse], [right], draws=1000)
    assert 0 < up.low < up.mean < up.high
    assert up.above == 1
    assert (down.low, down.mean, down.high, down.above) == (-up.high, -up.mean, -up.low, 0)


def test_the_seed_decides_the_draws():
    pair = [span_counts(GOLD, RIGHT)], [span_counts(GOLD, WORSE)]
    assert gain(*pair, draws=700) == gain(*pair, draws=700) != gain(*pair, draws=700, seed=1)


@pytest.mark.parametrize("count", [span_counts, claim_counts])
def test_the_interval_of_a_figure_is_around_it_and_of_a_perfect_one_nothing(count):
    low, high = interval(count(GOLD, WORSE))
    assert 0 < low < _figure(np.ones((1, len(GOLD))), [count(GOLD, WORSE)]).item() < high < 1
    assert interval(count(GOLD, RIGHT)) == (1, 1)
    assert (low, high) == interval(count(GOLD, WORSE)) != interval(count(GOLD, WORSE), seed=1)


def test_the_interval_narrows_with_more_sentences():
    few, many = (interval(span_counts(GOLD * n, WORSE * n)) for n in (1, 4))
    assert few[0] < many[0] < many[1] < few[1]


def test_a_systems_figure_is_the_mean_of_its_seeds():
    right, worse = span_counts(GOLD, RIGHT), span_counts(GOLD, WORSE)
    alone, both = gain([right], [worse]), gain([right, worse], [worse])
    assert both.mean == pytest.approx(alone.mean / 2, abs=1e-3)


@given(st.lists(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=2, max_size=2), min_size=1, max_size=20))
@settings(deadline=None, max_examples=30)
def test_the_interval_holds_the_mean_and_stays_within_the_possible(rows):
    counts = np.array([[(min(c, p, g), p, g) for c, p, g in row] for row in rows], dtype=float)
    found = gain([counts], [np.zeros_like(counts)], draws=200)
    assert 0 <= found.low <= found.mean + 1e-4
    assert found.mean - 1e-4 <= found.high <= 1
    assert 0 <= found.above <= 1
