"""The sequence model: what it makes of agreement, edges and ``O``, what it learns from a simulation, and that its spans are spans."""

from __future__ import annotations

import random
import string
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.label_model import Ballot, LabelModel, Majority, learned
from annotate.sequence_model import BEGIN, GO_ON, STOP, SequenceModel, Sighting, sightings
from models.records import Sentence, Vote
from models.text import words

TEXT = "علی رضایی مدیر کل بهزیستی ۲۰ نفر"


def ballot(*votes: tuple[str, str, str], text: str = TEXT) -> Ballot:
    """Votes as (function, label, surface)."""
    cast = tuple(Vote(f, label, text.index(surface), text.index(surface) + len(surface)) for f, label, surface in votes)
    return Ballot(Sentence("a-001", "a", 0, len(text), text), cast)


def spans(model: SequenceModel, *votes: tuple[str, str, str]) -> list[tuple[str, str]]:
    return [(span.label, span.text) for span in model.spans(ballot(*votes))[0]]


def test_what_a_function_does_word_by_word() -> None:
    seen = set(sightings(ballot(("f", "ROLE", "مدیر کل"), ("g", "NUMBER", "نفر"), ("h", "O", "۲۰ نفر"))))
    role = {(2, Sighting("f", "ROLE", BEGIN)), (3, Sighting("f", "ROLE", GO_ON)), (4, Sighting("f", "ROLE", STOP))}
    outside = {(5, Sighting("h", "O", BEGIN)), (6, Sighting("h", "O", BEGIN))}
    assert seen == role | outside | {(6, Sighting("g", "NUMBER", BEGIN))}


def test_outside_is_silent_where_a_vote_reaches_beyond_it() -> None:
    seen = [kind.function for _, kind in sightings(ballot(("f", "ROLE", "مدیر کل بهزیستی"), ("g", "O", "بهزیستی")))]
    assert set(seen) == {"f"}


def test_of_a_functions_own_overlapping_votes_the_longest_counts() -> None:
    assert list(sightings(ballot(("f", "ROLE", "مدیر"), ("f", "ROLE", "مدیر کل")))) == list(sightings(ballot(("f", "ROLE", "مدیر کل"))))


@pytest.fixture(scope="module")
def model() -> SequenceModel:
    """Fitted where ``long`` is mostly confirmed and ``short`` mostly not, and ``dates`` knows what ``digits`` does not."""
    long, short, third = ("long", "ROLE", "مدیر کل بهزیستی"), ("short", "ROLE", "مدیر کل"), ("third", "ROLE", "مدیر کل بهزیستی")
    digits, dates = ("digits", "NUMBER", "۲۰"), ("dates", "O", "۲۰ نفر")
    kinds = [((long, third), 30), ((short, long, third), 20), ((long,), 30), ((digits,), 30), ((digits, dates), 10)]
    return SequenceModel([ballot(*votes) for votes, count in kinds for _ in range(count)], Majority())


def test_a_tie_of_edges_goes_to_the_function_that_is_mostly_confirmed(model: SequenceModel) -> None:
    assert spans(model, ("short", "ROLE", "مدیر کل"), ("long", "ROLE", "مدیر کل بهزیستی")) == [("ROLE", "مدیر کل بهزیستی")]


def test_an_exception_beats_what_lies_within_it(model: SequenceModel) -> None:
    assert spans(model, ("digits", "NUMBER", "۲۰")) == [("NUMBER", "۲۰")]
    assert spans(model, ("digits", "NUMBER", "۲۰"), ("dates", "O", "۲۰ نفر")) == []


def test_strangers_are_left_out_and_without_votes_all_is_outside(model: SequenceModel) -> None:
    assert spans(model, ("unseen", "PERSON", "علی رضایی")) == []
    assert model.spans(ballot()) == ((), ())
    assert model.credences(ballot()) == []


def test_a_credence_is_the_spans_score_and_outside_is_the_rest(model: SequenceModel) -> None:
    agreed = ballot(("long", "ROLE", "مدیر کل بهزیستی"), ("third", "ROLE", "مدیر کل بهزیستی"))
    (span,) = model.spans(agreed)[0]
    assert model.credences(agreed) == pytest.approx([span.score, span.score])
    mixed = ballot(("digits", "NUMBER", "۲۰"), ("dates", "O", "۲۰"))
    number, outside = model.credences(mixed)
    assert 0 < number < outside
    assert number + outside == pytest.approx(1.0, abs=0.01)


def test_nothing_to_fit_is_no_error() -> None:
    assert SequenceModel([ballot()], Majority()).spans(ballot(("f", "ROLE", "مدیر"))) == ((), ())


def simulation(seed: int) -> tuple[list[Ballot], list[set[tuple[int, int]]]]:
    """Sentences with a person of one to three words in most and what only looks like one in some; each function errs in its way."""
    chance = random.Random(seed)
    ballots, truth = [], []
    for number in range(800):
        text = " ".join("آ" * 12)
        first, size = chance.randrange(2, 8), chance.randint(1, 3)
        people = {(first, first + size)} if chance.random() < 0.8 else set()
        votes = []
        decoy = chance.random() < 0.4
        for function, recall, cut, _ in RATES:
            for begin, end in people:
                if chance.random() < recall:
                    votes.append((function, begin, begin + 1 if chance.random() < cut else end))
        if decoy:
            votes += [(function, 10, 11) for function, *_, fooled in RATES if chance.random() < fooled]
        cast = tuple(Vote(function, "O" if function == "watch" else "PERSON", 2 * begin, 2 * end - 1) for function, begin, end in votes)
        ballots.append(Ballot(Sentence(f"a-{number}", "a", 0, len(text), text), cast))
        truth.append(people)
    return ballots, truth


RATES = (  # a function; how often it finds a person, cuts the name that it finds, and is fooled by what only looks like one
    ("exact", 0.8, 0.0, 0.0),
    ("cutter", 0.8, 0.4, 0.0),
    ("fooled", 0.8, 0.0, 0.7),
    ("fair", 0.6, 0.1, 0.1),
    ("plain", 0.7, 0.05, 0.05),
    ("watch", 0.0, 0.0, 0.8),
)


Simulated = tuple[list[Ballot], list[set[tuple[int, int]]], SequenceModel]


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    """A simulation, the truth, and the model of it."""
    ballots, truth = simulation(7)
    return ballots, truth, SequenceModel(ballots, Majority())


def test_it_learns_how_right_the_functions_of_a_simulation_are(simulated: Simulated) -> None:
    ballots, truth, model = simulated
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for b, people in zip(ballots, truth, strict=True):
        for stretch in b.stretches():
            right[stretch.function].append((stretch.function == "watch") != ((stretch.first, stretch.last) in people))
    fitted = learned(ballots, LabelModel(model, Majority()))
    assert fitted == pytest.approx({function: np.mean(found) for function, found in right.items()}, abs=0.07)


def test_it_is_righter_than_the_majority_unless_left_free(simulated: Simulated) -> None:
    ballots, truth, model = simulated

    def wrong(by: SequenceModel | Majority) -> int:
        found = [{(span.start // 2, (span.end + 1) // 2) for span in by.spans(b)[0]} for b in ballots]
        return sum(len(f ^ t) for f, t in zip(found, truth, strict=True))

    free = SequenceModel(ballots, Majority(), anchor=0.0, silence=1.0, rounds=30)
    assert wrong(model) < 0.4 * wrong(Majority())
    assert wrong(free) > wrong(Majority())


labels = st.sampled_from(["PERSON", "ROLE", "NUMBER", "O"])
drawn_votes = st.lists(st.tuples(st.sampled_from("fghk"), labels, st.integers(0, 29), st.integers(1, 12)), max_size=12)


@given(st.text(alphabet=string.ascii_lowercase[:4] + "  ", min_size=30, max_size=30), st.lists(drawn_votes, min_size=1, max_size=4))
def test_spans_are_in_order_apart_and_on_word_edges(text: str, drawn: list[list[tuple[str, str, int, int]]]) -> None:
    ballots = [
        Ballot(Sentence("s", "a", 0, 30, text), tuple(Vote(f, label, start, min(start + length, 30)) for f, label, start, length in votes))
        for votes in drawn
    ]
    model = SequenceModel(ballots, Majority(), rounds=3)
    starts, ends = ({edge[side] for edge in words(text)} for side in (0, 1))
    for b in ballots:
        found, unsure = model.spans(b)
        after = 0
        for span in found:
            assert after <= span.start < span.end
            assert span.start in starts
            assert span.end in ends
            assert text[span.start : span.end] == span.text
            assert 0 < span.score <= 1
            after = span.end
        assert all(start < end and start in starts and end in ends for start, end in unsure)
        assert len(credences := model.credences(b)) == len(b.stretches())
        assert all(0 <= credence <= 1 for credence in credences)
