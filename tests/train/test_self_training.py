from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.records import Claim, Example, PredictedSentence, Span
from train.self_training import agreed, softened

TEXT = "سید علی حسینی رئیس اداره گفت"


def span(label, start, end, score=1.0):
    return Span(label, start, end, TEXT[start:end], score)


def weak(*spans, **kwargs):
    return Example("a-1", TEXT, spans, **({"claim": None} | kwargs))


def read(*spans, scores=(0.2, 0.2, 0.6)):
    scores = dict(zip(("ANNOUNCEMENT", "STATISTIC", "POLICY"), scores, strict=True))
    return PredictedSentence(0, len(TEXT), TEXT, Claim("POLICY", max(scores.values()), scores), spans)


def test_what_both_see_stays():
    both = span("PERSON", 0, 13)
    result = agreed(weak(both), read(span("PERSON", 0, 13, 0.4)), 0.9)
    assert (result.spans, result.unsure) == ((both,), ())


def test_what_a_hand_has_labelled_stays():
    by_hand = weak(span("ROLE", 14, 24), claim="POLICY")
    assert agreed(by_hand, read(span("PERSON", 0, 13, 0.95)), 0.9) == by_hand


def test_spans_of_the_types_that_a_hand_has_looked_for_stay():
    person, number = span("PERSON", 0, 13), span("NUMBER", 25, 28)
    all_read = weak(person, types_by_hand=("PERSON", "ROLE", "NUMBER", "PROGRAM"))
    assert agreed(all_read, read(span("ROLE", 0, 13, 0.95), span("ROLE", 14, 24, 0.5)), 0.9) == all_read
    names_read = weak(person, number, types_by_hand=("PERSON",))
    result = agreed(names_read, read(span("ROLE", 8, 13, 0.95), span("ROLE", 14, 24, 0.95), span("PERSON", 25, 28, 0.95)), 0.9)
    assert (result.spans, result.unsure) == ((person, span("ROLE", 14, 24, 0.95)), ((25, 28),))


def test_a_confident_teacher_beats_the_rules():
    result = agreed(weak(span("PERSON", 4, 13)), read(span("PERSON", 0, 13, 0.95)), 0.9)
    assert (result.spans, result.unsure) == ((span("PERSON", 0, 13, 0.95),), ())


def test_where_they_differ_and_the_teacher_is_unsure_nothing_is_learned():
    result = agreed(weak(span("PERSON", 4, 13)), read(span("ROLE", 14, 24, 0.5)), 0.9)
    assert (result.spans, result.unsure) == ((), ((4, 13), (14, 24)))


def test_with_no_confidence_the_rules_spans_stay():
    rules = weak(span("PERSON", 4, 13))
    assert agreed(rules, read(span("PERSON", 0, 13, 0.95)), None) is rules


@given(
    st.lists(st.sampled_from([(0, 3), (4, 7), (8, 13), (14, 18), (19, 24)]), unique=True),
    st.lists(st.sampled_from([(0, 7), (8, 13), (14, 24), (25, 28)]), unique=True),
    st.floats(0, 1),
)
def test_spans_never_overlap_and_none_is_lost(rules, teacher, score):
    weak_spans = [span("PERSON", *r) for r in sorted(rules)]
    read_spans = [span("PERSON", *r, score) for r in sorted(teacher)]
    result = agreed(weak(*weak_spans), read(*read_spans), 0.5)
    ends = [0, *(s.end for s in result.spans)]
    assert all(s.start >= end for s, end in zip(result.spans, ends, strict=False))
    places = [*((s.start, s.end) for s in result.spans), *result.unsure]
    assert all(any(a < s.end and s.start < b for a, b in places) for s in (*weak_spans, *read_spans))


def test_claims_are_a_mixture():
    result = softened(weak(claim="STATISTIC", claim_scores={"STATISTIC": 1.0}), read(), trust=0.75)
    assert result.claim_scores == {"ANNOUNCEMENT": 0.15000000000000002, "STATISTIC": 0.4, "POLICY": 0.44999999999999996}
    assert result.claim == "POLICY"


def test_a_hand_label_stays():
    by_hand = weak(claim="NONE")
    assert softened(by_hand, read(), trust=1.0) is by_hand


def test_without_an_opinion_of_the_rules_the_teacher_decides():
    assert softened(weak(), read(), trust=0.5).claim_scores == read().claim.scores
