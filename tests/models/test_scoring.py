"""Scores: perfect is 1, swapping the sides swaps precision and recall, a span short of one word is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.labels import CLAIMS, NO_CLAIM, NUMBER, PERSON, ROLE, SPAN_TYPES
from models.records import Span
from models.scoring import MICRO, Score, claim_scores, span_scores

ROW = 40


def span(start: int, end: int, label: str = PERSON) -> Span:
    return Span(label, start, end, "x" * (end - start))


@st.composite
def rows(draw: st.DrawFn) -> tuple[Span, ...]:
    """Spans of one sentence that do not overlap: cut points in order, taken in pairs."""
    cuts = sorted(draw(st.sets(st.integers(0, ROW), max_size=10)))
    return tuple(span(a, b, draw(st.sampled_from(SPAN_TYPES))) for a, b in zip(cuts[::2], cuts[1::2], strict=False))


pairs = st.lists(st.tuples(rows(), rows()), min_size=1, max_size=4)


@given(st.lists(rows(), min_size=1), st.booleans())
def test_perfect_is_one(gold: list[tuple[Span, ...]], partial: bool) -> None:
    score = span_scores(gold, gold, partial=partial)[MICRO]
    assert score.f1 == (1.0 if any(gold) else 0.0)
    assert score.correct == score.gold == score.predicted == sum(map(len, gold))


@given(pairs, st.booleans())
def test_swapping_the_sides_swaps_precision_and_recall(both: list[tuple[tuple[Span, ...], tuple[Span, ...]]], partial: bool) -> None:
    gold, predicted = zip(*both, strict=True)
    there, back = span_scores(gold, predicted, partial=partial), span_scores(predicted, gold, partial=partial)
    for label, score in there.items():
        assert (score.precision, score.recall, score.f1) == (back[label].recall, back[label].precision, back[label].f1)


@given(pairs)
def test_partial_is_never_below_strict(both: list[tuple[tuple[Span, ...], tuple[Span, ...]]]) -> None:
    gold, predicted = zip(*both, strict=True)
    assert span_scores(gold, predicted, partial=True)[MICRO].correct >= span_scores(gold, predicted)[MICRO].correct


def test_a_span_without_its_last_word_is_a_miss_and_a_false_alarm() -> None:
    scores = span_scores([[span(0, 11)]], [[span(0, 5)]])
    assert scores[PERSON] == scores[MICRO] == Score(correct=0, predicted=1, gold=1)
    assert span_scores([[span(0, 11)]], [[span(0, 5)]], partial=True)[MICRO].f1 == 1.0


@pytest.mark.parametrize("guess", [span(0, 5, ROLE), span(1, 5), span(0, 4)])
def test_label_and_both_edges_must_agree(guess: Span) -> None:
    assert span_scores([[span(0, 5)]], [[guess]])[MICRO].correct == 0


def test_the_same_offsets_in_another_sentence_are_no_hit() -> None:
    assert span_scores([[span(0, 5)], []], [[], [span(0, 5)]])[MICRO] == Score(0, 1, 1)


def test_partial_counts_a_gold_span_once() -> None:
    assert span_scores([[span(0, 10)]], [[span(0, 3), span(5, 8)]], partial=True)[MICRO] == Score(correct=1, predicted=2, gold=1)


def test_other_labels_are_left_out() -> None:
    assert span_scores([[span(0, 5, NUMBER)]], [[]], labels=[PERSON])[MICRO] == Score()


def test_sentences_must_pair_up() -> None:
    with pytest.raises(ValueError):
        span_scores([[]], [])


claims = st.sampled_from([*CLAIMS, NO_CLAIM])


@given(st.lists(claims, min_size=1).filter(lambda gold: set(CLAIMS) <= set(gold)))
def test_perfect_claims_are_one(gold: list[str]) -> None:
    scores = claim_scores(gold, [None if claim == NO_CLAIM else claim for claim in gold])
    assert scores.accuracy == scores.macro_f1 == 1.0


@given(st.lists(st.tuples(claims, st.sampled_from([None, *CLAIMS])), min_size=1))
def test_confusion_counts_every_sentence_once(both: Sequence[tuple[str, str | None]]) -> None:
    gold, predicted = zip(*both, strict=True)
    assert sum(n for row in claim_scores(gold, predicted).confusion.values() for n in row.values()) == len(gold)


def test_abstaining_is_wrong_on_a_claim_and_right_on_none() -> None:
    scores = claim_scores(["POLICY", "POLICY", NO_CLAIM], ["POLICY", None, None])
    assert scores.accuracy == 0.5
    assert scores.confusion[NO_CLAIM][NO_CLAIM] == 1
    assert scores.by_class["POLICY"].precision == 1.0


def test_unlabelled_sentences_are_left_out() -> None:
    assert claim_scores([None, "POLICY"], ["STATISTIC", "POLICY"]).accuracy == 1.0
