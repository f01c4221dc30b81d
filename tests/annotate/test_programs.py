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
        "طرح هادی روستایی",
        "طرح تحول اداری",
        "طرح بیابان‌زدایی",
        "طرح ۱۰ ساله اشتغال روستا",
        "طرح جامع تهران",
        "طرح مسکن و محلات بهار",
        "پروژه میدان شهدای شیراز",
        "برنامه ملی کاهش اعتیاد",
        "برنامه‌های اول، دوم و سوم توسعه",
        "صندوق جبران زیان‌های درمانی",
        "سند راهبردی سلامت",
        "نظام جامع آموزش مربیان",
        "درگاه ملی مجوزها",
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
        "طرح پرسشی تازه در نشست",
        "با طرح بحث و طرح دیدگاه‌هایی تازه",
        "طرح جدید مسکن روستا اعلام شد",
        "طرح مسکن روستا در مجلس بررسی شد",
        "پروژه ملی کامل شود",
        "۱۲ دستگاه سامانه ترددشمار نصب شد",
        "هفت پروژه آب‌رسانی پایان یافت",
        "سامانه متصل شد و سامانه فعال است",
        "در سامانه ثبت نام کنند",
        "سند مالکیت و نظام سلامت کشور",
        "هدفمندی یارانه‌ها اجرا شد",
    ],
)
def test_generic_mentions_broadcasts_weapons_and_bills_are_none(text):
    assert named(text) == []


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("طرح مدارس سبز در کمیته پژوهش خوانده شد", "طرح مدارس سبز"),
        ("با طرح نهال دانش تصمیم دیگری گرفت", "طرح نهال دانش"),
        ("طرح نهال دانش و سازمان بهزیستی", "طرح نهال دانش"),
        ("طرح نهال دانش، توسعه و آموزش", "طرح نهال دانش"),
        ("طرح نهال دانش تعداد مدارس را افزود", "طرح نهال دانش"),
        ("در سال ۸۴ طرح نهال دانش اجرا شد", "طرح نهال دانش"),
        ("در طرح نهال دانش ۴۲ نفر آمدند", "طرح نهال دانش"),
        ("طرح نهال دانش ۴ با هدف رشد", "طرح نهال دانش ۴"),
        ("اجرای پروژه ساماندهی بازار بهار بود", "پروژه ساماندهی بازار بهار"),
        ("وی گفت: طرح نهال دانش و با نمایندگان بسیار از شهرها تا مجلس", "طرح نهال دانش"),
    ],
)
def test_a_name_ends_where_the_next_phrase_begins(text, program):
    assert named(text) == [program]


def test_two_programmes_are_two():
    assert named("طرح نهال دانش و برنامه ششم") == ["طرح نهال دانش", "برنامه ششم"]


def test_a_quoted_name_ends_before_its_closing_mark():
    assert named("پویش «مهر ماندگار» آغاز شد") == ["پویش «مهر ماندگار"]
