"""Where offices begin and end."""

import pytest

from annotate.functions import roles
from annotate.functions.base import Passage
from annotate.functions.scanners import office_at
from annotate.functions.words import words_of
from models.labels import OUTSIDE
from models.records import Sentence
from models.text import fold


def offices(text):
    """The surfaces that any function of the module calls a ROLE, in order."""
    sentence = Passage(Sentence("a-001", "a", 0, len(text), text), fold(text))
    spans = {(start, end) for function in roles.FUNCTIONS for start, end, label in function(sentence) if label != OUTSIDE}
    return [text[slice(*sentence.folded.origin(*span))] for span in sorted(spans)]


@pytest.mark.parametrize(
    ("office", "rest"),
    [
        ("معاون توسعه مدیریت و منابع سازمان بهزیستی کشور", "گفت:"),
        ("وزیر تعاون، کار و رفاه اجتماعی", "در این نشست"),
        ("رئیس اداره بهزیستی شهرستان خرمشهر", "با بیان"),
        ("معاون پیشگیری از آسیب‌های اجتماعی بهزیستی", "، از اجرا خبر داد"),
        ("مدیر کل بهزیستی استان قزوین", "خودکفایی را هدف دانست"),
        ("مديركل بهزيستي استان قزوين", "افزود"),
        ("نماینده مردم ساوه و زرندیه در مجلس شورای اسلامی", "گفت"),
        ("نماینده ولی فقیه در استان گیلان", "تاکید کرد"),
        ("سفیر ایران در مسکو", "با وزیر دیدار کرد"),
        ("رئیس‌جمهور", "دستور داد"),
        ("رییس جمهور فرانسه", "به تهران آمد"),
        ("مقام معظم رهبری", "همواره تاکید دارند"),
        ("شهردار منطقه ۵ تهران", "آمد"),
        ("رئیس سازمان بهزیستی", "دکتر وحید قبادی دانا"),
        ("رئیس سازمان بهزیستی", "وحید قبادی دانا"),
        ("وزیر کار", "صورت گرفت"),
        ("رئیس دانشگاه شهید بهشتی", "گفت"),
        ("رئیس دولت دهم", "گفت"),
        ("فرمانده لشکر دهم سیدالشهدا", "آمد"),
        ("مدیرعامل شرکت ساخت و توسعه زیربناها", "گفت"),
        ("مدیر خرید کارخانه", "گفت"),
        ("رئیس سازمان میدان بار تهران", "آمد"),
        ("مدیر کل بهزیستی", "می‌داند"),
        ("مدیر کل بهزیستی", "نمی‌توان کنار گذاشت"),
        ("مدیر کل امور بانوان و خانواده استانداری البرز", "گفت"),
        ("معاون سلامت خانواده و مردم وزارت بهداشت", "گفت"),
        ("سخنگوی دولت", "خواستار همکاری مردم شد"),
        ("وزیر کار", "عازم سفری به استان فارس شد"),
        ("رئیس سازمان بهزیستی", "علی اکبر صالحی"),
        ("رئیس سازمان بهزیستی", "درگذشت"),
        ("رئیس سازمان بهزیستی", "گردید"),
        ("رئیس سازمان بهزیستی", "کوشید آن را باز کند"),
        ("رئیس بنیاد خانواده", "گفت: کار آغاز شد"),
        ("مسئول پرونده", "گفت"),
        ("رئیس اداره آموزش", "و علی رضایی آمدند"),
        ("دادستان عمومی و انقلاب تبریز", "گفت"),
        ("عضو هیئت مدیره", "گفت"),
        ("عضو مجلس خبرگان رهبری", "گفت"),
        ("کارشناس مسئول امور آب", "گفت"),
        ("عضو هیئت‌مدیره", "را برگزیدند"),
        ("عضو هیات‌علمی دانشگاه گیلان", "افزود"),
        ("مدیر کل بهزیستی", "وارد یاسوج شد"),
        ("وزیر بهداشت", "خواست همه همکاری کنند"),
        ("نماینده مردم بجنورد در مجلس", "گفت"),
    ],
)
def test_an_office_is_whole_and_ends_there(office, rest):
    text = fold(f"{office} {rest}")
    words = words_of(text.text)
    end = office_at(words, 0)
    assert end is not None
    assert text.original[slice(*text.origin(*words.span(0, end)))] == office


@pytest.mark.parametrize(
    "text",
    [
        "این نماینده مجلس گفت",
        "زنان سرپرست خانوار آمدند",
        "مددکار اجتماعی گفت",
        "مسئولان استان آمدند",
        "و زیر نظر پزشک است",
        "مدیریت بحران",
        "هر مدیر خوبی",
    ],
)
def test_classes_of_people_are_no_office(text):
    assert offices(text) == []


@pytest.mark.parametrize("before", ["پیش از این", "پس از این", "علاوه بر این"])
def test_a_determiner_of_another_phrase_makes_no_class(before):
    assert offices(f"{before} وزیر نیرو گفت: کار آغاز شد.") == ["وزیر نیرو"]
    assert offices("این وزیر نیرو گفت: کار آغاز شد.") == []


def test_two_offices_joined_by_and_are_two():
    assert offices("فرماندار قم و رئیس دانشگاه قم آمدند") == ["فرماندار قم", "رئیس دانشگاه قم"]


def test_an_office_of_its_own_needs_its_speaker():
    assert offices("استاندار گفت: کار آغاز شد.") == ["استاندار"]
    assert offices("نامه استاندار رسید.") == []
