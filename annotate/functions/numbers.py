"""NUMBER: which numerals are quantities, and which are dates, clauses, codes, scores or parts of names.

``models.numerals`` says where numerals are. ``readings`` judges each one in its context: it is a quantity, or there is a reason why not.
Then one function for each kind of quantity votes NUMBER (a numeral may be of several kinds), and one for each reason votes ``O``, except
inside what may be the name of an office or a programme («تسهیلات تبصره ۱۶», «شهردار منطقه ۵»), where the numeral is part of a span.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from models.labels import NUMBER, OUTSIDE
from models.numerals import Numeral, find

from .base import Passage, SpanFunction, lexicon

Found = Iterable[tuple[int, int, str]]
_CONTEXT = 60  # characters before and after a numeral that are looked at

# Why a numeral is no quantity.
DATE, YEAR, CLOCK, LAW, CODE = "date", "year", "clock", "clause", "code"
SCORE, IDENTIFIER, ARTICLE, IDIOM = "score", "identifier", "article", "idiom"


@dataclass(frozen=True, slots=True)
class Reading:
    """A numeral, its surroundings, and the reason why it is no quantity (None for a quantity). ``ranged``: one end of a range."""

    numeral: Numeral
    surface: str
    before: str
    after: str
    reason: str | None = None
    ranged: bool = False

    @property
    def bare(self) -> bool:
        """Whether it has neither a measure nor a magnitude of its own, so that only its neighbours tell what it is."""
        return self.numeral.kind == "cardinal" and self.numeral.scale == 1

    @property
    def counted(self) -> bool:
        return _COUNTED.match(self.after) is not None

    @property
    def digits(self) -> bool:
        return self.surface.isdigit()


# Contexts ----------------------------------------------------------------------------------------------------------------------------


def _after(phrases: str) -> re.Pattern[str]:
    """Matches a following text that begins with one of the phrases, whole."""
    return re.compile(rf" ?(?:{phrases})(?![^\W\d])")


def _before(phrases: str) -> re.Pattern[str]:
    """Matches a preceding text that ends with one of the phrases, whole or plural («بندهای», «سال های»)."""
    return re.compile(rf"(?<!\w)(?:{phrases})(?: ?ها)?ی? ?[:؛]? ?$")


_COUNTED = _after(lexicon("number_nouns"))
_TIME = _after("سال(?:ه|گی)?|ماهه?|روزه?|هفته|ساعته?|دقیقه|ثانیه|شب|شبانه ?روز|قرن|دهه")
_PHYSICAL = _after("(?:کیلو)?متر(?: ?(?:مربع|مکعب))?|کیلو(?:گرم|وات)?|گرم|لیتر|هکتار|مگاوات|گیگابایت|مگابایت|درجه")
_MONTH = _after(f"{lexicon('number_months')}(?: ?ماه)?|صفر(?! از)|می(?= ?(?:ماه|[0-9]{{4}}|\\())|شنبه")
_ERA = _after(r"میلادی|شمسی|خورشیدی|هجری|قمری|(?:قبل|پیش) از میلاد|ق ?\. ?م|ه ?\. ?[قش]")
_PART_OF_DAY = _after("صبح|بامداد|بعد ?از ?ظهر|عصر")
_PEOPLE = _after("نفر|مورد|تن|تیم")
_MINUTES = _after("دقیقه")

_DATED = _before("مورخه?|تاریخ|(?:یک ?|دو ?|سه ?|چهار ?|پنج ?)?شنبه|جمعه")
_DECADE = _before("دهه|قرن|سده")
_IN_YEAR = _before(
    rf"(?:سال|بودجه|نوروز|المپیک|جام جهانی|بهار|تابستان|پاییز|زمستان|{lexicon('number_months')}(?: ?ماه)?)"
    r"(?: ?ها)?(?:ی? (?:مالی|تحصیلی|زراعی|آبی|میلادی|شمسی))?"
)
_AT_CLOCK = _before("ساعت|ساعات|راس")
_AND_MINUTES = re.compile(r"(?<!\w)ساعت \d+ و ?$")
_FROM_CLOCK = re.compile(r"(?<!\w)\d{1,2}:\d{2} ?(?:تا|الی|و|-) ?$")
_CLAUSE_NOUNS = "ماده(?: واحده)?|مواد|بند|تبصره|اصل|اصول|فصل|جزء|آیه|سوره|صفحه|صص?|قطعنامه|حکمت|خطبه"
_CLAUSE = _before(_CLAUSE_NOUNS)
_IN_BRACKETS = re.compile(rf"(?<!\w)(?:{_CLAUSE_NOUNS})(?: ?ها)?ی? ?\((?:\d+\) ?(?:و|،|تا) ?\()*$")  # «مواد (۲) و (۳)»
_CODED = _before(
    "(?:کد|شماره|شناسه|تلفن|نمابر|فکس|پیامک|صندوق پستی)(?: ?(?:خبر|ملی|پستی|تماس|تلفن|همراه|مجوز|حساب|کارت|شبا))?"
    r"|(?:(?<![^\W\d] )|(?<=تلفن )|(?<=شماره ))داخلی"  # an extension; not «خودروهای داخلی ۴۰ تا ۵۰ درصد»
)
_LAST_DIGIT = _before(
    r"(?:آخرین رقم|رقم (?:آخر|پایانی|انتهایی))(?: (?:(?:شماره|کد) ?)?ملی(?: ?شان)?)?(?: (?:آن ?ها|\w*شان|سرپرست\w*|خانوار))*"
)
_SERVICE = _before("سامانه(?: پیامکی| تلفنی)?|خط|سرشماره")
_KEYED = re.compile(r" ?#")
_NUMBERED = _before(lexicon("number_identifiers"))
_ALWAYS_NUMBERED = _before("فاز|پلاک|ردیف|کانال|کیلومتر")  # also before a noun: «فاز ۲ پروژه»
_NAMED = re.compile(rf"(?<!\w){lexicon('number_names')} ?-? ?$")
_POINTED_OUT = re.compile(r"(?:^|[^\w])(?:این|آن|هر|همین|همان|یک|چند|هیچ) $")
_VAGUE = re.compile(r"(?<!\w)(?:چند(?:ین)?|(?:ده|صد|هزار|میلیون|میلیارد) ?ها) ?$")
_LIST_MARK = re.compile(r"\s?[-.)ـ–](?!\s?\d)")
# «سه جانبه» says of what kind, not how many.
_COMPOUND = _after("چندانی?|جانبه|گانه|طرفه|سویه|قطبی|رقمی|ستاره|بعدی|فوریتی|فوریت|زبانه|گانگی")
_IDIOM = re.compile(rf"(?<!\w){lexicon('number_idioms')}(?!\w)")
_AMBIGUOUS = frozenset(("ده", "سی", "صفر", "نیم"))  # village, C of «بی بی سی» …: numerals where a noun is counted
_NAME_HEAD = re.compile(
    r"(?<!\w)(?:رئیس|رییس|مدیر ?کل|مدیر|معاون|استاندار|وزیر|عضو|کارشناس|فرمانده|شهردار|فرماندار|سرپرست|دبیر|نماینده|دادستان|مشاور|قائم مقام"
    r"|طرح|برنامه|تسهیلات|وام|سامانه|خط|پویش|صندوق|پروژه|اعتبارات|مسکن)(?!\w)[^،,؛.:/()«»]*$"
)

_APPROXIMATELY = re.compile(
    r"(?<!\w)(?:(?:بیش|بیشتر|کمتر|متجاوز|بالغ|افزون) (?:از|بر)|حدودا?|نزدیک به|قریب(?: به)?|تقریبا|حداقل|حداکثر|دست ?کم|تعداد) $"
)
_FULL_DATE = re.compile(r"(?<![\d/])\d{2,4}([/.-])\d{1,2}\1\d{1,4}(?![\d/])")
_FULL_TIME = re.compile(r"(?<![\d:])\d{1,2}:\d{2}(?::\d{2})?(?![\d:])")
_ORDINALS = "اول|دوم|سوم|چهارم|پنجم|ششم|هفتم|هشتم|نهم|دهم|یازدهم|دوازدهم|بیستم|سی ?ام|چهلم|پنجاهم|صدم|هزارم"
_ORDINAL = re.compile(rf"(?<!\w)(?:\d+ ?(?:مین|ام|امین)|(?:{_ORDINALS})ین)(?!\w)")

_LIST = re.compile(r" ?(?:و|تا|الی|یا|،|,|-|–) ?")
_RANGE = re.compile(r" ?(?:تا|الی) ?| ?[-–] ?")
_HYPHEN = re.compile(r" ?[-–] ?")
_VERSUS = re.compile(r" ?(?:بر|\+) ?")


# Judgement ---------------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def readings(text: str) -> tuple[Reading, ...]:
    """Every numeral of a folded text, judged: on its own, beside its neighbours, then by what the others of its list turned out to be."""
    idioms = [match.span() for match in _IDIOM.finditer(text) if not _is_each(text, *match.span())]
    found: list[Reading] = []
    for numeral in find(text):
        start, end = numeral.start, numeral.end
        reading = Reading(numeral, text[start:end], text[max(0, start - _CONTEXT) : start], text[end : end + _CONTEXT])
        if any(first < end and start < last for first, last in idioms):
            reason: str | None = IDIOM
        elif found and found[-1].reason is None and re.fullmatch(r" ?\w+ ", text[found[-1].numeral.end : start]):
            reason = _reason(replace(reading, before=""))  # «دو گروه ۵ نفره»: the word between is counted, it does not name what follows
        else:
            reason = _reason(reading)
        found.append(replace(reading, reason=reason))
    _judge_pairs(text, found)
    _share(text, found)
    return tuple(replace(reading, reason=IDIOM) if _too_vague(reading) else reading for reading in found)


def _is_each(text: str, start: int, end: int) -> bool:
    """Whether an idiom is a quantity, «every three» and not «all three»: «هر سه ماه», «از هر پنج نفر»; not «از هر دو طرف»."""
    of_each = text[:start].endswith("از ") and not text[start:end].endswith("دو")
    return text.startswith("هر", start) and (of_each or _TIME.match(text[end:]) is not None)


def _reason(reading: Reading) -> str | None:
    """Why a numeral is no quantity, as far as its own context tells."""
    if reading.numeral.spelled and _VAGUE.search(reading.before):
        return IDIOM
    if not reading.bare:
        return None
    return next((reason for reason, holds in _REASONS if holds(reading)), None)


def _is_date(r: Reading) -> bool:
    return r.numeral.value <= 31 and (_MONTH.match(r.after) is not None or (_DATED.search(r.before) is not None and not r.counted))


def _is_year(r: Reading) -> bool:
    if _ERA.match(r.after) or _DECADE.search(r.before):
        return True
    named = _IN_YEAR.search(r.before) is not None
    if r.numeral.value < 100:
        return named and not r.counted
    if _like_a_year(r):
        return named or (r.digits and not r.counted)
    return named and r.digits and r.numeral.value < 2100 and not r.counted


def _like_a_year(r: Reading) -> bool:
    return 1300 <= r.numeral.value <= 1450 or 1900 <= r.numeral.value <= 2050


def _is_clock(r: Reading) -> bool:
    if r.numeral.value <= 24 and (_PART_OF_DAY.match(r.after) or _FROM_CLOCK.search(r.before)):
        return True
    if r.numeral.value <= 24 and _AT_CLOCK.search(r.before):
        return not r.counted or _TIME.match(r.after) is not None
    return _AND_MINUTES.search(r.before) is not None and _MINUTES.match(r.after) is not None


def _is_clause(r: Reading) -> bool:
    return (_CLAUSE.search(r.before) or _IN_BRACKETS.search(r.before)) is not None and not _PEOPLE.match(r.after)


def _is_code(r: Reading) -> bool:
    return (
        _CODED.search(r.before) is not None
        or (r.digits and not r.counted and _LAST_DIGIT.search(r.before) is not None)
        or (r.digits and not r.counted and 3 <= len(r.surface) <= 8 and _SERVICE.search(r.before) is not None)  # «سامانه 1482»
        or (r.before.endswith("*") and _KEYED.match(r.after) is not None)  # «*123#»
        or (r.digits and len(r.surface) > 9)
        or (r.numeral.start == 0 and r.digits and _LIST_MARK.match(r.after) is not None)
    )


def _is_identifier(r: Reading) -> bool:
    if r.numeral.value >= 1000 or (r.counted and not _ALWAYS_NUMBERED.search(r.before)):
        return False
    named = _NUMBERED.search(r.before)
    return _NAMED.search(r.before) is not None or (named is not None and not _POINTED_OUT.search(r.before[: named.start()]))


def _is_article(r: Reading) -> bool:
    return r.surface == "یک" and not _PHYSICAL.match(r.after)


def _is_compound(r: Reading) -> bool:
    return r.numeral.spelled and _COMPOUND.match(r.after) is not None


_REASONS: tuple[tuple[str, Callable[[Reading], bool]], ...] = (
    (DATE, _is_date),
    (YEAR, _is_year),
    (CLOCK, _is_clock),
    (LAW, _is_clause),
    (CODE, _is_code),
    (IDENTIFIER, _is_identifier),
    (ARTICLE, _is_article),
    (IDIOM, _is_compound),
)


def _judge_pairs(text: str, readings: list[Reading]) -> None:
    """Scores («۳ بر ۱», «3-2»), «۱+۵», and the two ends of a range, in which «یک» is a number."""
    for i, (a, b) in enumerate(pairwise(list(readings))):
        gap = text[a.numeral.end : b.numeral.start]
        if not (a.bare and gap):
            continue
        if (b.bare or b.numeral.kind == "multiple") and _VERSUS.fullmatch(gap):  # «۲ بر یک برابر میزبان»: here «برابر» is «against»
            reason = SCORE if "بر" in gap else IDENTIFIER
            readings[i], readings[i + 1] = replace(readings[i], reason=reason), replace(b, reason=reason)
        elif _HYPHEN.fullmatch(gap) and b.bare and not (a.numeral.value < b.numeral.value and (b.counted or b.numeral.value >= 10)):
            readings[i], readings[i + 1] = (replace(r, reason=r.reason or SCORE) for r in (readings[i], b))
        elif _RANGE.fullmatch(gap) and b.reason is None:
            kept = None if readings[i].reason == ARTICLE else readings[i].reason
            readings[i], readings[i + 1] = replace(readings[i], reason=kept, ranged=True), replace(b, ranged=True)


_LIMITS = {DATE: 31, CLOCK: 24, LAW: 1000, IDENTIFIER: 1000, CODE: 10**9}


def _share(text: str, readings: list[Reading]) -> None:
    """Hand a reason on along a list: forwards («سال های ۹۰ و ۹۱», «مواد ۳ و ۴»), and back from what stands last («۲۲ و ۲۳ تیر»)."""
    pairs = [(i, i + 1) for i in range(len(readings) - 1)]
    for known, other in [*pairs, *((j, i) for i, j in reversed(pairs))]:
        a, b = readings[known], readings[other]
        backwards = known > other
        first, last = (b, a) if backwards else (a, b)
        if a.reason not in (DATE, CLOCK, YEAR) if backwards else a.reason not in (*_LIMITS, YEAR):
            continue
        if b.reason in (None, ARTICLE) and b.bare and _LIST.fullmatch(text[first.numeral.end : last.numeral.start]) and _fits(a, b):
            readings[other] = replace(b, reason=a.reason)


def _fits(known: Reading, other: Reading) -> bool:
    """Whether ``other`` may be what ``known`` is: a day, an hour, a year, a clause, unless it counts something."""
    if other.counted:
        return False
    if known.reason == YEAR:
        return len(known.surface) == len(other.surface) or _like_a_year(other) or (other.digits and 10 <= other.numeral.value < 100)
    return known.reason is not None and other.numeral.value <= _LIMITS[known.reason]


def _too_vague(r: Reading) -> bool:
    if r.surface == "نه":  # «نه خانه دارم نه باغ»: even a noun after it proves nothing
        return r.reason is None and not r.ranged and not (_TIME.match(r.after) or _PEOPLE.match(r.after))
    return r.reason is None and (r.surface == "نصف" or (r.surface in _AMBIGUOUS and not r.counted and not r.ranged))


def _vote(passage: Passage, test: Callable[[Reading], object]) -> Found:
    """NUMBER for each quantity that passes the test."""
    for reading in readings(passage.text):
        if reading.reason is None and test(reading):
            yield reading.numeral.start, reading.numeral.end, NUMBER


def _deny(passage: Passage, *reasons: str) -> Found:
    """``O`` for each numeral that is none for one of the reasons, unless it may be part of an office's or a programme's name."""
    for reading in readings(passage.text):
        if reading.reason in reasons and (reading.reason in (DATE, CLOCK) or not _NAME_HEAD.search(reading.before)):
            yield reading.numeral.start, reading.numeral.end, OUTSIDE


# What is a quantity ------------------------------------------------------------------------------------------------------------------


def money(passage: Passage) -> Found:
    """A sum with its currency.

    Fires: اعتبار این بخش به ⟦۸۵ میلیارد تومان⟧ رسید.
    Not: میلیاردها تومان صرف شد.
    """
    return _vote(passage, lambda r: r.numeral.kind == "money")


def percent(passage: Passage) -> Found:
    """A share, with its word or sign.

    Fires: کارمزد این وام ⟦چهار درصد⟧ است.
    Not: درصد بالایی از آنان شاغل اند.
    """
    return _vote(passage, lambda r: r.numeral.kind == "percent")


def multiple(passage: Passage) -> Found:
    """A growth in times.

    Fires: بودجه رشد ⟦۵ برابری⟧ داشت.
    Not: در برابر مشکلات ایستادند.
    """
    return _vote(passage, lambda r: r.numeral.kind == "multiple")


def fraction(passage: Passage) -> Found:
    """A part of a whole.

    Fires: ⟦دو سوم⟧ جمعیت در شهرها هستند.
    Not: دور یک چهارم نهایی برگزار شد.
    """
    return _vote(passage, lambda r: r.numeral.kind == "fraction")


def magnitude(passage: Passage) -> Found:
    """A number that names thousands or more.

    Fires: ⟦یک هزار و 580⟧ واحد ساخته شد.
    Not: چند هزار نفر آمدند.
    """
    return _vote(passage, lambda r: r.numeral.scale > 1 or any(word in r.surface for word in ("هزار", "میلیون", "میلیارد")))


def grouped_digits(passage: Passage) -> Found:
    """Digits in groups of three or with decimals: no year, code or label is written so.

    Fires: ⟦۱٬۲۰۰⟧ مددجو بیمه شدند.
    Not: در ۱۳۹۹/۱۲/۱۸ منتشر شد.
    """
    return _vote(passage, lambda r: re.search(r"\d[,،./]\d", r.surface))


def counted_digits(passage: Passage) -> Found:
    """Digits before a noun that is known to be counted.

    Fires: ⟦۲۴۰۰⟧ مرکز افتتاح شد.
    Not: انتخابات سال ۱۴۰۰ برگزار شد.
    """
    return _vote(passage, lambda r: not r.numeral.spelled and r.counted)


def counted_words(passage: Passage) -> Found:
    """Number words before a noun that is known to be counted.

    Fires: ⟦سه⟧ مرکز و ⟦بیست و پنج⟧ نفر معرفی شدند.
    Not: یک مرکز مشاوره باز شد.
    """
    return _vote(passage, lambda r: r.numeral.spelled and r.counted)


def duration(passage: Passage) -> Found:
    """A length of time or an age.

    Fires: میانگین سنی آنان ⟦23⟧ سال است.
    Not: این آیین ساعت ۸ صبح آغاز شد.
    """
    return _vote(passage, lambda r: _TIME.match(r.after))


def ranged(passage: Passage) -> Found:
    """Both ends of a range.

    Fires: ⟦۱۰⟧ تا ⟦۲۰ درصد⟧ آنان شاغل اند.
    Not: از ۱۳۹۰ تا ۱۳۹۵ ادامه داشت.
    """
    return _vote(passage, lambda r: r.ranged)


def approximated(passage: Passage) -> Found:
    """A number after «بیش از», «حدود» and the like.

    Fires: بیش از ⟦۵۳⟧ وظیفه دارد.
    Not: بیش از همه تلاش کرد.
    """
    return _vote(passage, lambda r: _APPROXIMATELY.search(r.before))


def plain_digits(passage: Passage) -> Found:
    """Digits that nothing speaks against.

    Fires: شمار آنان به ⟦۲۵⟧ رسید.
    Not: ماده ۲۶ ابلاغ شد.
    """
    return _vote(passage, lambda r: not r.numeral.spelled)


def plain_words(passage: Passage) -> Found:
    """Number words that nothing speaks against.

    Fires: ⟦چهار⟧ سامانه نوین ساخته شد.
    Not: هر دو پیشنهاد پذیرفته شد.
    """
    return _vote(passage, lambda r: r.numeral.spelled)


# What is none ------------------------------------------------------------------------------------------------------------------------


def calendar(passage: Passage) -> Found:
    """Days and years.

    Fires: عصر ⟦22⟧ تیر سال ⟦90⟧ برگزار شد.
    Not: قدمت آن به 31 سال می رسد.
    """
    yield from _deny(passage, DATE, YEAR)
    yield from ((*match.span(), OUTSIDE) for match in _FULL_DATE.finditer(passage.text))


def clock(passage: Passage) -> Found:
    """Times of day.

    Fires: مراسم ساعت ⟦۸⟧ صبح و ⟦۱۰:۳۰⟧ برگزار شد.
    Not: مراسم ۸ ساعت طول کشید.
    """
    yield from _deny(passage, CLOCK)
    yield from ((*match.span(), OUTSIDE) for match in _FULL_TIME.finditer(passage.text))


def clause_number(passage: Passage) -> Found:
    """The number of a law's article, clause or note, but not in a programme's name.

    Fires: بند ⟦چهار⟧ ماده ⟦۲۶⟧ قانون ابلاغ شد.
    Not: تسهیلات تبصره ۱۶ پرداخت شد.
    """
    return _deny(passage, LAW)


def code(passage: Passage) -> Found:
    """News codes, telephone numbers, digits that end a national code, numbers of items in a list.

    Fires: کد خبر: ⟦۲۱۵۰۸۳⟧
    Not: شمار خبرها ۲۱۵ است.
    """
    return _deny(passage, CODE)


def score(passage: Passage) -> Found:
    """The result of a match.

    Fires: تیم میزبان ⟦۳⟧ بر ⟦یک⟧ پیروز شد.
    Not: ۱۰-۲۰ نفر آمدند.
    """
    return _deny(passage, SCORE)


def identifier(passage: Passage) -> Found:
    """A number that tells one of a kind from the others, or ends a name.

    Fires: در منطقه ⟦۵⟧ تهران کووید ⟦۱۹⟧ فروکش کرد.
    Not: در این منطقه ۵ مدرسه ساخته شد.
    """
    return _deny(passage, IDENTIFIER)


def article(passage: Passage) -> Found:
    """A lone «یک».

    Fires: ⟦یک⟧ مرکز مشاوره باز شد.
    Not: یک هزار نفر و یک درصد و یک تا سه مورد
    """
    return _deny(passage, ARTICLE)


def idiom(passage: Passage) -> Found:
    """Number words in fixed phrases and vague ones.

    Fires: هر ⟦دو⟧ طرف ⟦صد در صد⟧ موافق اند.
    Not: دو طرف موافق اند.
    """
    return _deny(passage, IDIOM)


def ordinal(passage: Passage) -> Found:
    """Ordinals with digits, and those that end in «مین».

    Fires: ⟦۲۱مین⟧ نمایشگاه و ⟦پنجمین⟧ جشنواره برپا شد.
    Not: سهم زمین داران
    """
    for match in _ORDINAL.finditer(passage.text):
        if not _NAME_HEAD.search(passage.text[max(0, match.start() - _CONTEXT) : match.start()]):
            yield *match.span(), OUTSIDE


FUNCTIONS: tuple[SpanFunction, ...] = (
    money, percent, multiple, fraction, magnitude, grouped_digits, counted_digits, counted_words, duration, ranged, approximated,
    plain_digits, plain_words, calendar, clock, clause_number, code, score, identifier, article, idiom, ordinal,
)  # fmt: skip
