"""The majority over spans and claims, and Dawid-Skene against counts done by hand and against a simulation."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.label_model import Ballot, DawidSkene, Majority, example, fit
from models.errors import UserError
from models.labels import CLAIMS
from models.records import Sentence, Vote

TEXT = "علی رضایی مدیر کل بهزیستی ۲۰ نفر"


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
    weak = example(ballot(("f", "POLICY"), ("g", "ANNOUNCEMENT")), Majority())
    assert weak.claim == "ANNOUNCEMENT"
    assert weak.claim_scores == pytest.approx({"ANNOUNCEMENT": 1.25 / 2.75, "STATISTIC": 0.25 / 2.75, "POLICY": 1.25 / 2.75})


def test_without_votes_the_claim_is_masked_and_all_is_outside() -> None:
    weak = example(ballot(), Majority())
    assert (weak.claim, weak.claim_scores, weak.spans, weak.unsure) == (None, None, (), ())


def test_dawid_skene_finds_out_whom_to_trust() -> None:
    chance = random.Random(5)
    truth = [chance.choice(CLAIMS) for _ in range(600)]

    def opinion(claim: str, accuracy: float) -> str:
        return claim if chance.random() < accuracy else chance.choice(CLAIMS)

    ballots = [
        ballot(("good", opinion(t, 0.95)), ("fair", opinion(t, 0.7)), ("poor", opinion(t, 0.2)), ("bad", opinion(t, 0.2))) for t in truth
    ]
    model = DawidSkene(ballots)

    def accuracy(by: Majority) -> float:
        return sum(example(b, by).claim == t for b, t in zip(ballots, truth, strict=True)) / len(truth)

    assert accuracy(model) > accuracy(Majority()) + 0.05


def test_dawid_skene_posteriors_sum_to_one() -> None:
    model = DawidSkene([ballot(("f", "POLICY"), ("g", "STATISTIC")), ballot(("f", "POLICY"))])
    scores = model.claim(ballot(("f", "POLICY"), ("unseen", "STATISTIC")))
    assert scores is not None
    assert sum(scores.values()) == pytest.approx(1.0)
    assert model.claim(ballot()) is None


def test_an_unknown_label_model_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="majority"):
        fit("minority", [])
