"""Where names begin and end, and who is named by a surname alone."""

import pytest

from annotate.functions import persons
from annotate.functions.base import Passage
from annotate.functions.scanners import full_name, name_at
from annotate.functions.words import words_of
from models.labels import OUTSIDE
from models.records import Sentence
from models.text import fold


def names(text, known=()):
    """The surfaces that any function of the module calls a PERSON and none vetoes, in order."""
    sentence = Passage(Sentence("a-001", "a", 0, len(text), text), fold(text), {"PERSON": frozenset(fold(name).text for name in known)})
    votes = [vote for function in persons.FUNCTIONS for vote in function(sentence)]
    vetoed = {vote[:2] for vote in votes if vote[2] == OUTSIDE}
    return [text[slice(*sentence.folded.origin(*span))] for span in sorted({vote[:2] for vote in votes} - vetoed)]


@pytest.mark.parametrize(
    "name",
    [
        "مریم صالحی",
        "سید مرتضی حسینی",
        "سیدمحمد موسوی",
        "علی‌رضا کاظمی نژاد",
        "محمد بن سلمان",
        "روح الله یزدان‌پناه",
        "محمد باقر قالیباف",
        "ميرزا علي كريمي",
        "غلام‌علی رضایی راد",
        "علی اکبر صالحی",
        "ماه منیر رضایی",
        "روح انگیز احمدی",
    ],
)
def test_a_full_name_is_whole(name):
    text = fold(f"{name} در نشست حاضر شد")
    words = words_of(text.text)
    assert text.original[slice(*text.origin(*words.span(0, full_name(words, 0))))] == name


@pytest.mark.parametrize("text", ["علی آباد کتول", "حسن اجرای قانون", "امید مردم به آینده", "مهر ماه امسال", "حسین در میدان ماند"])
def test_a_first_name_alone_or_in_other_use_is_no_full_name(text):
    assert full_name(words_of(fold(text).text), 0) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("رستگار مقدم گفت: کار آغاز شد.", ["رستگار مقدم"]),
        ("محمد زند، رئیس سازمان بهزیستی آمد.", ["محمد زند"]),
        ("وزیر گفت: کار آغاز شد.", []),
        ("تهران گفت: کار آغاز شد.", []),
        ("سازمان اعلام کرد کار آغاز شد.", []),
        ("آیت‌الله مکارم شیرازی پیام داد.", ["مکارم شیرازی"]),
        ("حجت‌الاسلام والمسلمین حسین امینی آمد.", ["حسین امینی"]),
        ("خیابان شهید بهشتی و دانشگاه شهید چمران بسته شد.", []),
        ("به گفته کاظمی‌نژاد، این طرح خوب است.", ["کاظمی‌نژاد"]),
        ("به گزارش فارس، این طرح خوب است.", []),
        ("پزشکان می‌گویند: آب بنوشید.", []),
        ("کریمی می‌گوید: آب بنوشید.", ["کریمی"]),
        ("علی کریمی و رضا نوری گفتند: آب بنوشید.", ["علی کریمی", "رضا نوری"]),
        ("دانشگاه علوم پزشکی شهید بهشتی بسته شد.", []),
        ("دبستان دخترانه شهید رضا کریمی بسته شد.", []),
        ("شب یلدا برگزار شد.", []),
        ("رئیس این مرکز علی کریمی گفت: کار آغاز شد.", ["علی کریمی"]),
        ("سردار سرتیپ دوم پاسدار مهران کیانی‌فر آمد.", ["مهران کیانی‌فر"]),
        ("سرهنگ پاسدار کیانی‌فر گفت: راه باز است.", ["کیانی‌فر"]),
        ("سردار سرلشکر پاسدار خلبان مهران کیانی‌فر و سرهنگ خلبان بهرام راستین‌پور آمدند.", ["مهران کیانی‌فر", "بهرام راستین‌پور"]),
    ],
)
def test_context_names_people(text, expected):
    assert names(text) == expected


def test_the_surname_of_a_known_person_is_a_name():
    assert names("با تلاش قبادی دانا آغاز شد.", known=["وحید قبادی دانا"]) == ["قبادی دانا"]
    assert names("با تلاش قبادی دانا آغاز شد.") == []


def test_a_known_surname_that_is_a_place_needs_a_title_or_a_verb_of_speech():
    assert names("مردم تهران آمدند.", known=["رضا تهران"]) == []


def test_another_bearer_of_a_known_surname_keeps_the_full_name():
    assert names("مریم حسینی آمد.", known=["علی حسینی"]) == ["مریم حسینی"]


def test_a_name_ends_before_the_verb_of_speech():
    words = words_of("سماواتی اظهار داشت")
    assert name_at(words, 0) == 1
