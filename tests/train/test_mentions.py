from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.numerals import find
from models.records import Span
from models.text import fold, words
from train.mentions import DIGITS, mention, quantity

KINDS = {"۸۵ میلیارد تومان": "money", "چهار درصد": "percent", "5 برابر": "multiple", "۲۶ هزار": "cardinal", "1580": "cardinal"}


@given(st.sampled_from(sorted(KINDS)), st.integers())
@settings(deadline=None, max_examples=1000)
def test_a_quantity_is_one_numeral_of_the_same_kind_from_end_to_end(surface, seed):
    made = quantity(surface, random.Random(seed))
    folded = fold(f"مبلغ {made} است")
    (numeral,) = find(folded.text)
    assert folded.text[numeral.start : numeral.end] == fold(made).text
    assert numeral.kind == KINDS[surface]
    assert sum(bool(set(script) & set(made)) for script in DIGITS) <= 1
    assert (words(made)[0][0], words(made)[-1][1]) in ((0, len(made)), (0, len(made) - 1))  # a percent sign is no word


@pytest.mark.parametrize("surface", ["۳", "سه", "یک سوم", "هیچ"])
def test_small_counts_and_fractions_are_left_to_the_sentences(surface):
    assert quantity(surface, random.Random(0)) is None


def test_the_unit_that_came_up_later_and_figures_in_one_word_are_among_them():
    made = [quantity("۸۵ میلیارد تومان", random.Random(seed)) for seed in range(200)]
    assert any(quantity.endswith(" همت") for quantity in made)
    assert any("میلیون" in word and word[0].isdigit() for quantity in made for word in quantity.split())


def test_an_adjective_stays_one():
    made = [quantity("۶ هزار میلیارد تومانی", random.Random(seed)) for seed in range(200)]
    assert {text[-1] for text in made} == {"ی"}
    assert all([(numeral.start, numeral.end) for numeral in find(fold(text).text)] == [(0, len(fold(text).text))] for text in made)


def test_offices_and_programmes_are_not_made():
    assert mention(Span("ROLE", 0, 9, "وزیر کشور"), random.Random(0)) is None
