"""Which mentions are programmes, and where their names end."""

import pytest

from annotate.functions import programs
from annotate.functions.base import Passage
from models.labels import OUTSIDE
from models.records import Sentence
from models.text import fold


def named(text):
    """The surfaces that any function of the module calls a PROGRAM, in order."""
    sentence = Passage(Sentence("a-001", "a", 0, len(text), text), fold(text))
    spans = {(start, end) for function in programs.FUNCTIONS for start, end, label in function(sentence) if label != OUTSIDE}
    return [text[slice(*sentence.folded.origin(*span))] for span in sorted(spans)]


@pytest.mark.parametrize(
    "program",
    [
        "طرح توانبخشی مبتنی بر جامعه",
        "سامانه اشتغال",
        "مراکز مثبت زندگی",
        "مرکز خدمات بهزیستی مثبت زندگی",
        "تسهیلات تبصره ۱۶",
        "صندوق امداد ولایت",
        "پویش ایران همدل",
        "نهضت ملی مسکن",
        "برنامه هفتم توسعه",
        "سهام عدالت",
        "رزمایش مواسات",
        "طرح تحول سلامت",
        "طرح CBR",
    ],
)
@pytest.mark.parametrize("frame", ["با اجرای {} در استان", "{} این سازمان آغاز شد", "از {} خبر داد"])
def test_a_programme_is_whole(program, frame):
    assert named(frame.format(program)) == [program]


@pytest.mark.parametrize(
    "text",
    [
        "این طرح اجرا شد",
        "برنامه‌های متنوع اجرا شد",
        "تسهیلات اشتغال پرداخت شد",
        "سامانه پدافندی رونمایی شد",
        "برنامه «نگاه یک» پخش شد",
        "سه پروژه بزرگ افتتاح شد",
        "طرح اصلاح قانون انتخابات در مجلس بررسی شد",
        "رزمایش دریایی برگزار شد",
        "صندوق رای گشوده شد",
        "مدیرعامل صندوق کارآفرینی امید گفت",
    ],
)
def test_generic_mentions_broadcasts_weapons_and_bills_are_none(text):
    assert named(text) == []


def test_a_quoted_name_ends_before_its_closing_mark():
    assert named("پویش «مهر ماندگار» آغاز شد") == ["پویش «مهر ماندگار"]
