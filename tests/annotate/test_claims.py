"""Claims: the news is judged, not its background; act before figure before aim; wishes are no statistics."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.functions import claims
from annotate.functions.base import Passage
from models.records import Sentence
from models.text import fold


def passage(text: str) -> Passage:
    return Passage(Sentence("s", "a", 0, len(text), text), fold(text))


def majority(text: str) -> str | None:
    """What most functions say; None if all abstain."""
    votes = Counter(label for function in claims.FUNCTIONS if (label := function(passage(text))))
    return votes.most_common(1)[0][0] if votes else None


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("طی هفته جاری ۳ هزار مسکن مددجویی در سطح کشور بهره برداری می شوند.", "ANNOUNCEMENT"),
        ("۱۲ مرکز خدمات بهزیستی مثبت زندگی در خرمشهر آماده افتتاح هستند", "ANNOUNCEMENT"),
        ("حکم سرپرست تازه اداره کل در آیینی با حضور استاندار ابلاغ شد.", "ANNOUNCEMENT"),
        ("دستورالعمل جدید به استان‌ها ابلاغ گردید.", "ANNOUNCEMENT"),
        ("قرارداد به امضا رسید.", "ANNOUNCEMENT"),
        ("شمار مددکاران این استان به ۳۰۰ نفر رسید.", "STATISTIC"),
        ("۲۶ هزار معلول در استان قزوین تحت پوشش سازمان بهزیستی هستند.", "STATISTIC"),
        ("شمار سالمندان این استان در ده سال گذشته از ۴۰ به ۷۰ هزار نفر رسیده است.", "STATISTIC"),
        ("توانمندسازی زنان سرپرست خانوار از اولویت‌های این سازمان است.", "POLICY"),
        ("باید سهم بیمه‌ها از هزینه درمان به ۷۰ درصد برسد.", "POLICY"),
        ("امسال بنا داریم تسهیلات اشتغال رشد ۵ برابری داشته باشد.", "POLICY"),
        ("بانک‌ها مکلفند ۲۰ میلیارد تومان تسهیلات به مددجویان بدهند.", "POLICY"),
        ("ما موظفیم به ۱۲ هزار سالمند خدمات ارائه دهیم.", "POLICY"),
        ("یک‌سوم خانوارهای این استان مستاجر هستند.", "STATISTIC"),
        ("۱۳۸۵ نفر در این استان مستمری‌بگیر هستند.", "STATISTIC"),
        ("سامانه 1482 پاسخگوی سالمندان است.", "POLICY"),
        ("خط ۱۴۸۰ به خانواده‌ها مشاوره می‌دهد.", "POLICY"),
        ("کد *۱۲۳# راه ارتباط مردم با اورژانس اجتماعی است.", "POLICY"),
    ],
)
def test_the_order_of_the_guide(text: str, claim: str) -> None:
    assert majority(text) == claim


def tense(text: str) -> str | None:
    return claims._read(fold(text).text).tense


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("روستاهایی مانند دو روستای کوهستانی", None),
        ("یادمان آن نبرد در مرز", None),
        ("همایش دوستداران محیط‌زیست", None),
        ("کمک به خانواده‌های آسیب‌دیده", None),
        ("این نامه به دستشان رسیده", "perfect"),
        ("آنان در شهر می‌مانند", "present"),
    ],
)
def test_nouns_and_prepositions_are_no_verbs(text: str, expected: str | None) -> None:
    assert tense(text) == expected


def test_what_is_looked_for_is_an_aim_and_what_comes_after_is_none() -> None:
    intended = "ما به دنبال گسترش این خدمات هستیم."
    after = ["به دنبال بارش باران راه‌ها بسته شد.", "وی گفت: به دنبال بارش باران راه‌ها بسته شد."]
    assert claims.intended(passage(intended)) == "POLICY"
    assert [claims.intended(passage(text)) for text in after] == [None, None]


def test_a_friday_prayer_is_no_day() -> None:
    assert claims.dated_act(passage("امام جمعه با خانواده‌ها گفت‌وگو کرد.")) is None
    assert claims.dated_act(passage("استاندار جمعه با خانواده‌ها گفت‌وگو کرد.")) == "ANNOUNCEMENT"


def test_what_has_no_verb_has_no_claim_by_its_speaker_alone() -> None:
    assert majority("رئیس سازمان بهزیستی: خیران دلسوز در کنار سالمندان شهر") is None


def test_background_before_the_verb_of_saying_does_not_count() -> None:
    assert majority("وی با بیان اینکه امروز ۳ مرکز افتتاح شد، افزود: این مراکز به خانواده‌ها مشاوره می‌دهند.") == "POLICY"
    assert majority("وی با بیان اینکه این مراکز مشاوره می‌دهند، افزود: امروز ۳ مرکز افتتاح شد.") == "ANNOUNCEMENT"


def test_a_handful_a_year_and_an_article_of_law_are_no_figures() -> None:
    for text in ("این طرح در دو بخش اجرا می‌شود.", "این طرح از سال ۱۳۹۹ اجرا می‌شود.", "این کار در ماده ۲۶ قانون پیش‌بینی می‌شود."):
        assert majority(text) == "POLICY"


@pytest.mark.parametrize(("with_zwnj", "without"), [("می‌شود", "میشود"), ("می‌شود", "می شود")])
def test_lost_joiners_change_nothing(with_zwnj: str, without: str) -> None:
    text = "نمایشگاه صنایع دستی فردا در تبریز برگزار می‌شود."
    assert majority(text) == majority(text.replace(with_zwnj, without)) == "ANNOUNCEMENT"


@pytest.mark.parametrize("text", ["", "رضا سوری", "نظر شما", "با دستور استاندار صورت گرفت:"])
def test_names_scraps_and_headings_have_no_claim(text: str) -> None:
    assert majority(text) is None


@given(st.text(alphabet="ابتدرسشکمنهوی ۱۲۳۴۵۰،.:؛می‌شود", max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert majority(text) in (None, "ANNOUNCEMENT", "STATISTIC", "POLICY")
