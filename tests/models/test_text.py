"""Folding, words and sentences: offsets hold for any text, and sentences end where a reader would end them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.text import ZWNJ, first_word, fold, fold_character, fold_characters, sentences, words

PERSIAN = st.text(st.sampled_from("ابپتسشعغفقکگلمنوهیيكةئ۰۲٤5 ۱.،؛:!؟?…/«»()\"'[]\n\r\t\u200c\u200f\u200e\u064bـ🔹a.Z@#\u00a0\ufdfc\ufef5"))
TEXTS = PERSIAN | st.text()
Steps = Callable[[Callable[[str], Any], str], int]


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


# folding


@given(TEXTS)
def test_each_folded_character_comes_from_the_original_at_its_offset(text: str) -> None:
    folded = fold(text)
    assert len(folded.text) == len(folded.offsets)
    assert list(folded.offsets) == sorted(folded.offsets)
    assert all(character in fold_character(text[offset]) for character, offset in zip(folded.text, folded.offsets, strict=True))


@given(TEXTS)
def test_characters_fold_in_place_as_each_alone_but_for_zwnj(text: str) -> None:
    assert fold_characters(text) == "".join(c if c == ZWNJ else fold_character(c) for c in text)


@given(TEXTS)
def test_the_first_word_is_the_one_that_begins_a_text(text: str) -> None:
    assert first_word(text) == next((text[:end] for start, end in words(text) if start == 0), "")


@given(TEXTS)
def test_folding_twice_changes_nothing(text: str) -> None:
    once = fold(text).text
    assert fold(once).text == once


@given(TEXTS, st.data())
def test_origin_gives_the_text_that_folds_to_the_range(text: str, data: st.DataObject) -> None:
    folded = fold(text)
    if not folded.text:
        return
    start = data.draw(st.integers(0, len(folded.text) - 1))
    end = data.draw(st.integers(start + 1, len(folded.text)))
    first, last = folded.origin(start, end)
    assert 0 <= first < last <= len(text)
    assert folded.text[start:end] in fold(text[first:last]).text


@given(TEXTS)
def test_position_is_the_first_folded_character_from_there_on(text: str) -> None:
    folded = fold(text)
    for origin in range(len(text)):
        expected = next((i for i, offset in enumerate(folded.offsets) if offset >= origin), len(folded.text))
        assert folded.position(origin) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("مـهـر", "مهر"),
        ("كتابي", "کتابی"),
        ("راه‌اندازی", "راهاندازی"),
        ("۲٫۵ ٤", "2.5 4"),
        ("مدیرِ کلّ", "مدیر کل"),
        ("الف \u200f\n ب", "الف\nب"),
        ("ﻻزم", "لازم"),
        ("﴿آیه﴾", "﴿آیه﴾"),
    ],
)
def test_folds(text: str, expected: str) -> None:
    assert fold(text).text == expected


# words


@given(TEXTS)
def test_words_are_ordered_and_cover_all_that_is_not_space(text: str) -> None:
    ranges = words(text)
    after = 0
    for start, end in ranges:
        assert after <= start < end
        assert not text[start].isspace()
        assert not text[end - 1].isspace()
        after = end
    covered = {i for start, end in ranges for i in range(start, end)}
    assert covered >= {i for i, character in enumerate(text) if not character.isspace()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("می‌شود ۲.۵", ["می‌شود", "۲.۵"]),
        ("۴۰۰بسته", ["۴۰۰", "بسته"]),
        ("مـهـر،", ["مـهـر", "،"]),
        ("10:46.", ["10:46", "."]),
        ("رضایی\u200c گفتِ\u200c", ["رضایی", "\u200c", "گفتِ", "\u200c"]),
        ("مدیرِ\u200cکلّ،", ["مدیرِ\u200cکلّ", "،"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in words(text)] == expected


# sentences


@pytest.mark.parametrize(
    "whole",
    [
        "بیش از ۲.۵ میلیون نفر در ساعت ۱۰:۴۶ آمدند.",
        "مبلغ 1.250.000 تومان و ۳٫۵ درصد بود.",
        "دکتر ع. رضایی و م.ر. کریمی آمدند.",
        "نوشته J. K. Rowling منتشر شد.",
        "به نشانی irna.ir و www.x.ir/a?b=c.html بروید.",
        "در سده سوم ق.م. و سال ۱۳۴۰ ه.ش. ساخته شد.",
        "در سال ۱۴۰۰ هـ.ش. و ۱۴۴۲ هـ. ق. و ۱۳۰۰ ه\u200d.ش. ساخته شد.",
        "بی.بی.سی و ا.ج.ا نوشتند.",
        "امام (ره) فرمود: بروید.",
        "کتاب، دفتر و ... خریدند.",
        "گفت: «می‌رویم. شاید برگردیم. نمی‌دانیم» و رفت.",
        "شعار «ما می‌توانیم!» را برگزیدند.",
        "پرسش «چه باید کرد؟» و پاسخ آن گفته شد.",
        "وی (با خنده!) پاسخ داد.",
        "افتتاح ۱۲ مرکز در شهر/ ایجاد هزار شغل تازه",
        "او آمد؛ ما رفتیم: همه با هم، تنها.",
        "۱. نخستین بند این است.",
        "کار تمام شد./ مهر",
        "نیامدند؟، پرسید.",
    ],
)
def test_stays_one_sentence(whole: str) -> None:
    assert split(whole) == [whole]


@pytest.mark.parametrize(
    "pieces",
    [
        ["مرکز باز شد.", "وی افزود: خوب است."],
        ["مرکز باز شد .", "وی افزود  خوب  است ."],
        ["آیا آمد؟", "بله!", "کی؟!", "دیروز…", "پس چرا..."],
        ["این در سال ۱۳۹۹.", "آن در سال 1400."],
        ["گفت: «می‌رویم. برمی‌گردیم.»", "وی افزود: «نه».", "تمام."],
        ['گفت: "می‌رویم. برمی‌گردیم."', "وی افزود."],
        ["(همه رفتند.)", "او ماند."],
        ["نیامدند...", "وی رفت.", "پایان."],
        ["۱. آمد.", "۲. رفت."],
        ["او رفت", "🔹 دیگری آمد."],
    ],
)
def test_splits(pieces: list[str]) -> None:
    assert split(" ".join(pieces)) == pieces


def test_a_full_stop_without_a_space_ends_a_sentence() -> None:
    assert split("باز شد.وی گفت.۱۲ نفر آمدند؟چرا") == ["باز شد.", "وی گفت.", "۱۲ نفر آمدند؟", "چرا"]


def test_an_unclosed_quote_swallows_nothing() -> None:
    assert split("گفت: «رفتیم. ماندیم. خندیدیم.") == ["گفت: «رفتیم.", "ماندیم.", "خندیدیم."]
    far = "«الف رفت. " + "ب ماند. " * 300 + "»"
    assert len(split(far)) > 300


def test_marks_of_direction_are_not_part_of_a_sentence() -> None:
    assert split("\u200fباز شد.\u200f \u200eوی رفت.\u200e") == ["باز شد.", "وی رفت."]


def test_a_line_break_ends_a_sentence_in_any_of_its_forms() -> None:
    assert split("تیتر خبر\nگزارش آمد\r\n\r\nوی گفت:\n  «بله»\u2028پایان") == ["تیتر خبر", "گزارش آمد", "وی گفت:", "«بله»", "پایان"]


def test_a_line_that_a_comma_joins_to_the_next_goes_on() -> None:
    assert split("علی احمدی\n، شهردار شهر،\nآمد\n: خوب است") == ["علی احمدی\n، شهردار شهر،\nآمد\n: خوب است"]
    assert split("مرجع\n:\n:") == ["مرجع", ":", ":"]


def test_hard_wrapped_lines_are_joined() -> None:
    sentence = "این گزارش بلند درباره ساختن چند خانه تازه در شهری کوچک است که مردم آن سال‌ها چشم به راه ماندند "
    lines, line = [], ""
    for word in (sentence * 6).split():
        if len(line) + 1 + len(word) > 70:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    body = "\n".join([*lines, line + " و تمام شد."])
    assert split(f"تیتر خبر\n\n{body}\n\nپایان کار") == ["تیتر خبر", body, "پایان کار"]


def test_a_list_of_headlines_is_not_taken_for_wrapped_text() -> None:
    headlines = [f"{'خبر کوتاه و تازه ' * 4}شماره {'بلند' * n}" for n in (1, 3, 2, 5, 1, 4)]
    assert split("\n".join(headlines)) == headlines


def test_within_limits_the_search_and_keeps_the_offsets() -> None:
    text = "تیتر خبر\nکد خبر: 12\nباز شد. وی رفت."
    within = [(0, 8), (text.index("باز"), len(text))]
    assert [text[start:end] for start, end in sentences(text, within)] == ["تیتر خبر", "باز شد.", "وی رفت."]


@given(TEXTS, st.data())
def test_sentences_are_ordered_trimmed_and_cover_what_is_visible(text: str, data: st.DataObject) -> None:
    edges = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=6)))
    within = list(zip(edges[::2], edges[1::2], strict=False))
    ranges = sentences(text, within)
    after = 0
    for start, end in ranges:
        assert after <= start < end
        assert not text[start].isspace()
        assert not text[end - 1].isspace()
        after = end
    covered = {i for start, end in ranges for i in range(start, end)}
    asked = {i for start, end in within for i in range(start, end)}
    assert covered <= asked
    assert covered >= {i for i in asked if not text[i].isspace() and unicodedata.category(text[i]) != "Cf"}


@pytest.mark.parametrize("unit", ["«", "»", "باز شد. ", ".»", "ع.", "1.", "(ا. ", "«ا» ", "\n", "ا\n", "،\n", "\u200c", ' "', "… "])
def test_work_grows_with_the_length_of_the_text_and_no_faster(unit: str, steps_of: Steps) -> None:
    small, large = (steps_of(sentences, "متن " + unit * n) for n in (100, 800))
    assert large <= 9 * small
