from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from annotate.functions.base import entries
from models.records import Example, Span
from models.settings import AugmentSettings
from models.text import ZWNJ, words
from train.augment import Augmenter, rewrite

TEXT = "سید مرتضی حسینی، مدیرکل بهزیستی گفت: ۳ هزار مددجو خدمات می‌گیرند."


def spans(text, *labelled):
    return tuple(Span(label, text.index(s), text.index(s) + len(s), s) for label, s in labelled)


EXAMPLE = Example(
    "a-1",
    TEXT,
    spans(TEXT, ("PERSON", "سید مرتضی حسینی"), ("ROLE", "مدیرکل بهزیستی"), ("NUMBER", "۳ هزار")),
    "STATISTIC",
    unsure=((50, 56),),
)
ALWAYS = AugmentSettings(copies=3, mention_replacement=1, lost_zwnj=1, arabic_letters=1, digit_script=1)


def check(example):
    ranges = words(example.text)
    starts, ends = {s for s, _ in ranges}, {e for _, e in ranges}
    after = 0
    for span in example.spans:
        assert example.text[span.start : span.end] == span.text
        assert after <= span.start < span.end
        assert span.start in starts
        assert span.end in ends
        after = span.end


@given(st.data())
def test_rewriting_moves_every_offset(data):
    edits, new, last = [], [], 0
    for span in EXAMPLE.spans:
        start = data.draw(st.integers(last, span.start))
        end = data.draw(st.integers(start, span.start))
        if start < end:
            edits.append((start, end, data.draw(st.text("ابپ ", max_size=5))))
        new.append(data.draw(st.text("ابپ", min_size=1, max_size=9)))
        edits.append((span.start, span.end, new[-1]))
        last = span.end
    rewritten = rewrite(EXAMPLE, edits)
    assert [s.label for s in rewritten.spans] == [s.label for s in EXAMPLE.spans]
    assert [s.text for s in rewritten.spans] == new
    assert all(rewritten.text[s.start : s.end] == s.text for s in rewritten.spans)


@given(st.integers())
@settings(deadline=None)
def test_copies_keep_labels_and_word_edges(seed):
    other = "علی سماواتی، رئیس سازمان گفت: ۲۴۰ نفر"
    pool = [EXAMPLE, Example("b-1", other, spans(other, ("PERSON", "علی سماواتی"), ("ROLE", "رئیس سازمان"), ("NUMBER", "۲۴۰")), None)]
    copies = Augmenter.of(ALWAYS, pool).copies(EXAMPLE, random.Random(seed))
    assert [c.id for c in copies] == ["a-1~1", "a-1~2", "a-1~3"]
    for copy in copies:
        check(copy)
        assert [s.label for s in copy.spans] == ["PERSON", "ROLE", "NUMBER"]
        assert copy.claim == "STATISTIC"
        assert ZWNJ not in copy.text
        assert not set(copy.text) & set("یک")
        (start, end) = copy.unsure[0]
        assert end - start == 6


def test_a_sentence_without_span_labels_is_still_respelled():
    copy = Augmenter.of(ALWAYS, []).noisy(Example("a-1", "می‌رود", None, "POLICY"), random.Random(0))
    assert copy.text == "ميرود"
    assert copy.spans is None


@given(st.integers())
@settings(deadline=None)
def test_names_made_of_the_lexicons_stand_in_for_persons_alone(seed):
    one = Example("b-1", "حسینی گفت", spans("حسینی گفت", ("PERSON", "حسینی")), None)
    made = AugmentSettings(mention_replacement=1, made_mentions=1, lost_zwnj=0, spaced_zwnj=0, arabic_letters=0, digit_script=0)
    augmenter, rng = Augmenter.of(made, []), random.Random(seed)
    name = augmenter.noisy(one, rng).spans[0].text
    assert name in entries("surnames")
    copy = augmenter.noisy(EXAMPLE, rng)
    check(copy)
    assert any(copy.spans[0].text == f"{first} {last}" for first in entries("first_names") for last in entries("surnames"))
    assert copy.spans[1].text == "مدیرکل بهزیستی"


def test_mentions_of_an_unsure_stretch_stay():
    example = Example("a-1", "۳ نفر", spans("۳ نفر", ("NUMBER", "۳")), None, unsure=((0, 1),))
    augmenter = Augmenter.of(AugmentSettings(mention_replacement=1, digit_script=0, arabic_letters=0), [EXAMPLE])
    assert all(augmenter.noisy(example, random.Random(i)).text == "۳ نفر" for i in range(20))


def test_sentences_of_the_rarest_type_get_more_copies():
    rare = Example("b-1", "طرح مهر", spans("طرح مهر", ("PROGRAM", "طرح مهر")), None)
    augmenter = Augmenter.of(AugmentSettings(copies=1, rare_copies=2), [EXAMPLE, EXAMPLE, rare])
    assert augmenter.rarest == "PROGRAM"
    assert [copy.id for copy in augmenter.copies(rare, random.Random(1))] == ["b-1~1", "b-1~2", "b-1~3"]
    assert len(augmenter.copies(EXAMPLE, random.Random(1))) == 1
    assert Augmenter.of(AugmentSettings(rare_copies=2), []).rarest is None
