from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.records import Claim, Example, PredictedSentence, Span, read_examples
from train.evaluate import calibration_error, reliability, score, selective, table
from train.plots import plot

GOLD = read_examples("seeds/gold.jsonl")


def read_as(example: Example, label: str | None = "gold", score: float = 0.9) -> PredictedSentence:
    """A prediction that says what the example says, or another claim."""
    label = (None if example.claim == "NONE" else example.claim) if label == "gold" else label
    scores = dict.fromkeys(("ANNOUNCEMENT", "STATISTIC", "POLICY"), (1 - score) / 2) | {label or "POLICY": score}
    return PredictedSentence(0, len(example.text), example.text, Claim(label, score, scores), example.spans or ())


def test_gold_read_as_gold_is_perfect():
    report = score(GOLD, [read_as(e) for e in GOLD])
    assert {s["f1"] for s in report["spans"].values()} == {1.0}
    assert (report["claims"]["macro_f1"], report["sentence_accuracy"], report["seqeval"]["f1"]) == (1.0, 1.0, 1.0)
    assert report["claims"]["ece"] == pytest.approx(0.1)
    json.dumps(report)


def test_a_span_without_its_last_word_is_wrong_by_every_exact_figure():
    def cut(span: Span) -> Span:
        end = span.start + len(span.text.rpartition(" ")[0])
        return replace(span, end=end, text=span.text[: end - span.start]) if " " in span.text else span

    short = [replace(read_as(e), spans=tuple(map(cut, e.spans))) for e in GOLD]
    report = score(GOLD, short)
    whole = sum(" " not in span.text for e in GOLD for span in e.spans) / sum(len(e.spans) for e in GOLD)
    assert report["spans"]["micro"]["f1"] == pytest.approx(whole, abs=1e-4)
    assert report["seqeval"]["f1"] == pytest.approx(whole, abs=1e-4)
    assert report["partial"]["micro"]["f1"] == 1.0
    assert report["sentence_accuracy"] < 1


def test_unlabelled_heads_and_unsure_stretches_do_not_count():
    text = "۳ نفر و ۴ نفر"
    example = Example("a-1", text, (Span("NUMBER", 0, 1, "۳"),), None, unsure=((8, 9),))
    read = PredictedSentence(0, len(text), text, None, (Span("NUMBER", 0, 1, "۳"), Span("NUMBER", 8, 9, "۴")))
    report = score([example, replace(example, spans=None)], [read, read])
    assert report["spans"]["micro"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "correct": 1, "predicted": 1, "gold": 1}
    assert report["claims"]["count"] == 0
    assert report["sentence_accuracy"] == 1.0


def test_abstaining_is_right_where_gold_has_no_claim():
    none = next(e for e in GOLD if e.claim == "NONE")
    assert score([none], [read_as(none)])["sentence_accuracy"] == 1.0
    assert score([none], [read_as(none, "POLICY")])["sentence_accuracy"] == 0.0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40))
def test_calibration_error_is_a_gap_between_shares(pairs):
    error = calibration_error(reliability([s for s, _ in pairs], [r for _, r in pairs]))
    assert 0 <= error <= 1


def test_calibration_error_of_known_cases():
    assert calibration_error(reliability([1.0] * 4, [True] * 4)) == 0
    assert calibration_error(reliability([1.0] * 4, [True, True, False, False])) == 0.5
    assert calibration_error(reliability([0.75] * 4, [True, True, True, False])) == 0
    assert calibration_error(reliability([], [])) == 0


def test_table_and_plots_show_every_label(tmp_path):
    report = score(GOLD, [read_as(e) for e in GOLD])
    text = table(report, "seeds")
    assert all(label in text for label in (*report["spans"], *report["claims"]["by_class"]))
    history = [{"step": 1, "loss": 2.0}, {"step": 1, "eval_span_f1": 0.5, "eval_claim_macro_f1": 0.4}]
    for path in plot(report, history, tmp_path):
        assert path.read_bytes().startswith(b"\x89PNG")
    assert {p.name for p in tmp_path.iterdir()} == {
        f"{name}.png" for name in ("confusion", "coverage", "f1_by_label", "learning_curve", "reliability")
    }


def test_claims_given_up_from_the_lowest_score():
    points = selective([0.9, 0.5, 0.8, 0.6], [True, False, True, False], points=4)
    assert [(p["score"], p["coverage"], p["accuracy"]) for p in points] == [
        (0.9, 0.25, 1),
        (0.8, 0.5, 1),
        (0.6, 0.75, 0.6667),
        (0.5, 1, 0.5),
    ]
    assert selective([], []) == []
