import re

import pytest

from annotate.functions import numbers
from annotate.functions.base import Passage
from models.records import Sentence
from models.text import fold


def quantities(text: str) -> list[str]:
    """Surfaces that any function calls a NUMBER, in order."""
    return [surface for surface, label in votes(text) if label == "NUMBER"]


def votes(text: str) -> list[tuple[str, str]]:
    folded = fold(text)
    passage = Passage(Sentence("a-000", "a", 0, len(text), text), folded)
    found = {(*folded.origin(start, end), label) for function in numbers.FUNCTIONS for start, end, label in function(passage)}
    return [(text[start:end], label) for start, end, label in sorted(found)]


@pytest.mark.parametrize(
    "marked",
    [
        "⟦یک هزار و 580⟧ واحد و ⟦۲.۵ میلیون⟧ بازدید",
        "⟦۸۵ میلیارد تومان⟧ تسهیلات با کارمزد ⟦چهار درصد⟧ و رشد ⟦۵ برابری⟧",
        "مشارکت ⟦۶ هزار میلیارد تومانی⟧ و سهم ⟦٪۵۰⟧ آنان",
        "⟦۱۰⟧ تا ⟦۲۰ درصد⟧ و ⟦یک⟧ تا ⟦سه⟧ سال و ⟦۱۰⟧-⟦۱۵⟧ دقیقه",
        "نرخ آن به ⟦٣٢,٢ درصد⟧ رسید و ⟦۲۱٬۳ میلیارد دلار⟧ صرف شد",
        "قدمت آن ⟦31⟧ سال و میانگین سنی ⟦23⟧ سال است",
        "⟦یک‌سوم⟧ جمعیت و ⟦نیم⟧ ساعت",
        "⟦دو⟧ بخش، ⟦سه⟧ مرکز و ⟦چهار⟧ ماه",
        "⟦2400⟧ مرکز، ⟦1400⟧ نفر و ⟦2010⟧ واحد",
        "یک مرکز و ⟦یک درصد⟧ و ⟦یک هزار⟧ نفر و ⟦یک⟧ متر",
        "در این منطقه ⟦۵⟧ مدرسه و در هر گروه ⟦۴⟧ نفر",
        "⟦دو⟧ گروه ⟦۵⟧ نفره در ⟦24⟧ ساعت ⟦۱۲⟧ حمله را دفع کردند",
        "در سال ۱۳۹۹ ⟦۲۰⟧ مرکز باز شد",
        "حدود ⟦ده⟧ نفر و ⟦نه⟧ ماه",
        "این رقم پایانی به ⟦۳۰⟧ نفر رسید و رقم آن ⟦۲ میلیارد تومان⟧ است",
    ],
)
def test_quantities(marked):
    assert quantities(re.sub("[⟦⟧]", "", marked)) == re.findall("⟦(.*?)⟧", marked)


@pytest.mark.parametrize(
    "text",
    [
        *("22 تیر", "۸ بهمن ۱۳۹۹", "۲۲ و ۲۳ تیر", "۱۲ تا ۲۲ بهمن", "سه شنبه ۱۶ مهر", "۱۳۹۹/۱۲/۱۸ - ۱۰:۴۶:۲۳", "۲۲ ژانویه1966"),
        *(
            "سال 90",
            "سال های ۹۰ و ۹۱",
            "سال 86 تا 88",
            "انتخابات ۱۴۰۰ برگزار شد",
            "دهه ۶۰",
            "قرن ۱۹",
            "سال ۱۲۶۵ قبل از میلاد",
            "از ۱۳۹۰ تا ۱۳۹۵",
        ),
        *("ساعت ۸ صبح", "ساعت ۸ و ۳۰ دقیقه", "از ساعت ۹ تا ۱۲", "ساعت ۱۷:۳۰ تا ۲۰", "ساعت ۱۱ شب"),
        *("تبصره (2) این قانون", "موضوع ماده (124) قانون", "تبصره‌های (۲) و (۳)"),
        *("خانوارهای با رقم پایانی کد ملی ۰، ۱ و ۲", "رقم آخر کد ملی آن‌ها ۷ تا ۹ است", "آخرین رقم کدملی سرپرستشان ۳ است"),
        *("بند چهار ماده ۲۶ قانون", "تبصره ۱۶", "اصل ۴۴ قانون اساسی", "ماده ۵ برنامه", "مواد ۳ و ۴"),
        *("کد خبر: ۲۱۵۰۸۳", "تلفن ۰۲۱۸۸۷۷۶۶۵۵", "شماره ۱۲", "۱- معرفی"),
        *("منطقه ۵ تهران", "فاز ۲ پروژه", "کانال ۲", "گروه ۷", "ردیف ۳", "کووید ۱۹", "کرونا", "سوخو ۳۵", "5G و G20 و F-16", "گروه ۵+۱"),
        *("۳ بر یک", "نتیجه 3-2", "۲ بر یک برابر میزبان"),
        *("دولت نهم و دهم", "بیست و یکمین جشنواره", "۲۱مین دوره"),
        *("یک مرکز مشاوره", "یکی از آنان", "یک بار دیگر", "یک سال", "هر دو طرف", "صد در صد", "دو چندان", "هفت سین", "سی و سه پل"),
        *("چند هزار نفر", "ده‌ها هزار نفر", "یا نه؟", "نه خانه و نه باغ", "در ده ما", "بی بی سی", "سه جانبه", "چهار محال و بختیاری"),
    ],
)
def test_numerals_that_are_no_quantities(text):
    assert quantities(text) == []


@pytest.mark.parametrize("text", ["تسهیلات تبصره ۱۶ پرداخت شد", "شهردار منطقه ۵", "سامانه ۱۲۳"])
def test_a_number_inside_a_name_is_left_to_the_name(text):
    assert votes(text) == []


def test_no_numeral_is_both_a_number_and_none():
    text = "۱۲ مرکز در ۲۲ بهمن ۱۳۹۹ با ۸۵ میلیارد تومان، بند ۳، ساعت ۸ صبح و یک هزار نفر در منطقه ۵"
    surfaces = [surface for surface, _ in votes(text)]
    assert len(surfaces) == len(set(surfaces)) == 8


def test_offsets_are_right_in_text_with_marks_and_arabic_letters():
    text = "بيش از ٧ ميليارد و ٨٦٠ ميليون تومان و هفتاد‌وپنج مـركز"
    assert quantities(text) == ["٧ ميليارد و ٨٦٠ ميليون تومان", "هفتاد‌وپنج"]
