"""The majority over spans and claims, what is learned of the functions, and the label models by name."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.label_model import Ballot, LabelModel, Majority, example, fit, learned
from models.errors import UserError
from models.records import Sentence, Vote

TEXT = "علی رضایی مدیر کل بهزیستی ۲۰ نفر"
MAJORITY = LabelModel(Majority(), Majority())


def ballot(*votes: tuple[str, str, str] | tuple[str, str], text: str = TEXT) -> Ballot:
    """Votes as (function, label, surface), or (function, claim)."""

    def vote(function: str, label: str, surface: str | None = None) -> Vote:
        if surface is None:
            return Vote(function, label)
        start = text.index(surface)
        return Vote(function, label, start, start + len(surface))

    return Ballot(Sentence("a-001", "a", 0, len(text), text), tuple(vote(*v) for v in votes))


def spans(*votes: tuple[str, str, str]) -> list[tuple[str, str, float]]:
    return [(span.label, span.text, span.score) for span in Majority().spans(ballot(*votes))[0]]


def test_abstention_is_no_vote_against() -> None:
    assert spans(("f", "PERSON", "علی رضایی")) == [("PERSON", "علی رضایی", 1.0)]


def test_exact_agreement_beats_length() -> None:
    found = spans(("f", "ROLE", "مدیر کل"), ("g", "ROLE", "مدیر کل"), ("h", "ROLE", "مدیر کل بهزیستی"))
    assert found == [("ROLE", "مدیر کل", pytest.approx(2 / 3))]


def test_length_breaks_a_tie_and_the_difference_is_unsure() -> None:
    chosen, unsure = Majority().spans(ballot(("f", "ROLE", "مدیر کل"), ("g", "ROLE", "مدیر کل بهزیستی")))
    assert [(span.text, span.score) for span in chosen] == [("مدیر کل بهزیستی", 0.5)]
    assert [TEXT[start:end].strip() for start, end in unsure] == ["بهزیستی"]


def test_a_tie_of_types_is_unsure_throughout() -> None:
    chosen, unsure = Majority().spans(ballot(("f", "PERSON", "علی رضایی"), ("g", "PROGRAM", "علی رضایی")))
    assert len(chosen) == 1
    assert unsure == ((chosen[0].start, chosen[0].end),)


def test_a_vote_for_outside_wins_a_tie_and_loses_to_two() -> None:
    assert spans(("f", "NUMBER", "۲۰"), ("g", "O", "۲۰ نفر")) == []
    assert spans(("f", "NUMBER", "۲۰"), ("h", "NUMBER", "۲۰"), ("g", "O", "۲۰ نفر")) == [("NUMBER", "۲۰", pytest.approx(2 / 3))]


def test_outside_counts_only_against_what_lies_within_it() -> None:
    assert spans(("f", "ROLE", "مدیر کل بهزیستی"), ("g", "O", "بهزیستی")) == [("ROLE", "مدیر کل بهزیستی", 0.5)]


def test_spans_widen_to_whole_words() -> None:
    assert spans(("f", "PERSON", "لی رضا")) == [("PERSON", "علی رضایی", 1.0)]


labels = st.sampled_from(["PERSON", "ROLE", "NUMBER", "O"])
votes = st.lists(st.tuples(st.sampled_from("fghk"), labels, st.integers(0, 29), st.integers(1, 12)), max_size=12)


@given(st.text(alphabet=string.ascii_lowercase[:4] + "  ", min_size=30, max_size=30), votes)
def test_spans_are_in_order_apart_and_true_to_the_text(text: str, drawn: list[tuple[str, str, int, int]]) -> None:
    cast = tuple(Vote(function, label, start, min(start + length, 30)) for function, label, start, length in drawn)
    chosen, unsure = Majority().spans(Ballot(Sentence("s", "a", 0, 30, text), cast))
    after = 0
    for span in chosen:
        assert after <= span.start < span.end
        assert text[span.start : span.end] == span.text == span.text.strip()
        assert 0 < span.score <= 1
        after = span.end
    assert all(0 <= start < end <= 30 for start, end in unsure)


def test_claims_are_shares_and_the_guides_order_breaks_ties() -> None:
    weak = example(ballot(("f", "POLICY"), ("g", "ANNOUNCEMENT")), MAJORITY)
    assert weak.claim == "ANNOUNCEMENT"
    assert weak.claim_scores == pytest.approx({"ANNOUNCEMENT": 1.25 / 2.75, "STATISTIC": 0.25 / 2.75, "POLICY": 1.25 / 2.75})


def test_without_votes_the_claim_is_masked_and_all_is_outside() -> None:
    weak = example(ballot(), MAJORITY)
    assert (weak.claim, weak.claim_scores, weak.spans, weak.unsure) == (None, None, (), ())


def test_credences_of_the_majority_are_its_scores() -> None:
    votes = (("f", "ROLE", "مدیر کل"), ("g", "ROLE", "مدیر کل"), ("h", "ROLE", "مدیر"), ("f", "NUMBER", "۲۰"), ("k", "O", "۲۰ نفر"))
    assert Majority().credences(ballot(*votes)) == [pytest.approx(2 / 3), pytest.approx(2 / 3), 0.0, 0.0, 1.0]
    assert Majority().credences(ballot(("f", "NUMBER", "۲۰"), ("g", "NUMBER", "۲۰"), ("k", "O", "۲۰ نفر")))[-1] == pytest.approx(1 / 3)


def test_what_is_learned_is_the_mean_over_a_functions_votes() -> None:
    ballots = [ballot(("f", "ROLE", "مدیر کل"), ("g", "POLICY")), ballot(("f", "ROLE", "مدیر"), ("h", "ROLE", "مدیر کل"))]
    assert learned(ballots, MAJORITY) == pytest.approx({"f": 0.5, "g": 1.25 / 1.75, "h": 0.5})


@pytest.mark.parametrize("name", ["majority", "dawid-skene", "hmm"])
def test_every_label_model_labels(name: str) -> None:
    both = ballot(("f", "ROLE", "مدیر کل"), ("g", "ROLE", "مدیر کل"), ("h", "POLICY"))
    weak = example(both, fit(name, [both] * 5))
    assert [(span.label, span.text) for span in weak.spans or ()] == [("ROLE", "مدیر کل")]
    assert weak.claim == "POLICY"


def test_an_unknown_label_model_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="majority"):
        fit("minority", [])
