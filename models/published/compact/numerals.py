"""The grammar of Persian quantities: where they stand in a text, what they are worth, what they count.

Two users, one grammar: the labelling functions ask ``find`` where numerals are, the predictor asks ``value_of`` what one means.

A word of folded text is first taken apart into atoms («هفتادوپنج», once «هفتاد‌وپنج», is 70, and, 5), since folding drops ZWNJ and
writers drop spaces. A word that is not made of atoms throughout («سهم», «صدا») is none. The atoms are then read from left to right::

    quantity    = [sign] number [measure]              «50%», «٪۵۰», «۸۵ میلیارد تومان», «۵ برابری», «۴۵ همت»
    number      = section {"و" section} ["و" "نیم"]    «7 میلیارد و 860 میلیون و 67 هزار و 347»
                | count ordinal                        «یک سوم»
    section     = count ["و" ("نیم" | count ordinal)] {magnitude}    «دو و نیم میلیون», «سه و دو دهم», «۶ هزار میلیارد»
    count       = digits | words below a thousand

Not found: ordinals («بیست و یکم», «۲۱مین»), vague words («ده‌ها», «هزاران», «بیست و چند»), a bare «میلیون» or «میلیارد», dates and clock
times written in digits («۱۳۹۹/۱۲/۱۸», «۱۰:۴۶»), digits with a leading zero («۰۲۱»), digits tied to Latin letters («G20»).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

from .text import ZWNJ, first_word, fold, fold_characters

Kind = Literal["cardinal", "fraction", "percent", "money", "multiple"]
Value = int | float


@dataclass(frozen=True, slots=True)
class Numeral:
    """A quantity in folded text. ``unit`` is of the span itself (currency, «درصد», «برابر»), not the counted noun after it.

    ``scale`` is the magnitude that ends it: 10**6 for «۲.۵ میلیون». ``first_scale`` is all that its first count is multiplied by: 10**12
    for «۳ هزار میلیارد». ``spelled`` tells words («سه هزار») from digits («۳ هزار»).
    """

    start: int
    end: int
    value: Value
    unit: str | None
    kind: Kind
    spelled: bool
    scale: int
    first_scale: int


def find(text: str) -> list[Numeral]:
    """All quantities of a folded text (``text.fold``), each as long as it can be, in order, none overlapping; linear in the text."""
    atoms = list(_atoms(text))
    numerals: list[Numeral] = []
    i = 0
    while i < len(atoms):
        numeral, i = _quantity(atoms, i)
        if numeral:
            numerals.append(numeral)
    return numerals


def value_of(surface: str, following: str = "", preceding: str = "") -> tuple[Value, str | None] | None:
    """Value and unit of an untouched surface, or None if it holds no numeral; ``following`` and ``preceding`` are the text around it.

    None, too, where the numeral is only a part of what the surface says («۱۲ ۰۰۰», «-۵»), unless that is a range, or of what the surface
    says with the word beside it («ده‌ها هزار», «منفی ۵ درصد»). Of «۱۰ هزارنفر» it is worth ten thousand.

    The unit is the surface's own, as a standard word («تومان» for «تومانی», «درصد» for «%»); else the counted noun that follows (see
    ``_counted``). The first end of a range takes both from the second: «۱۰» before «تا ۲۰ هزار نفر» is 10000 «نفر».
    """
    surface, following = _cut(fold_characters(surface), fold_characters(following[:_LOOK_AHEAD]))
    folded = fold(surface)
    numerals = find(folded.text)
    if not numerals or _BESIDE_BEFORE.search(fold(preceding[-_LOOK_BEHIND:]).text):
        return None
    numeral = numerals[0]
    rest = surface[folded.origin(numeral.start, numeral.end)[1] :] + following
    to = _RANGE.match(rest)
    goes_on = len(numerals) > 1 or _DIGIT.search(folded.text, numeral.end)
    if _DIGIT_OR_BESIDE.search(folded.text, 0, numeral.start) or (goes_on and not to) or _POINT_AFTER.match(rest):
        return None
    if numeral.unit:
        return numeral.value, numeral.unit
    if to:
        return _first_of_range(numeral, rest[to.end() :])
    return numeral.value, _counted(rest)


# Words -------------------------------------------------------------------------------------------------------------------------------

_ONES = ("صفر", "یک", "دو", "سه", "چهار", "پنج", "شش", "هفت", "هشت", "نه")
_TEENS = ("ده", "یازده", "دوازده", "سیزده", "چهارده", "پانزده", "شانزده", "هفده", "هجده", "نوزده")
_TENS = ("بیست", "سی", "چهل", "پنجاه", "شصت", "هفتاد", "هشتاد", "نود")
_HUNDREDS = ("صد", "دویست", "سیصد", "چهارصد", "پانصد", "ششصد", "هفتصد", "هشتصد", "نهصد")
_COUNTS = (
    {word: n for n, word in enumerate((*_ONES, *_TEENS))}
    | {word: 10 * n for n, word in enumerate(_TENS, 2)}
    | {word: 100 * n for n, word in enumerate(_HUNDREDS, 1)}
    | {"یکصد": 100, "شیش": 6, "هیفده": 17, "هیجده": 18, "هژده": 18}
)
_MAGNITUDES = {"هزار": 10**3, "میلیون": 10**6, "ملیون": 10**6, "میلیارد": 10**9, "ملیارد": 10**9, "تریلیون": 10**12}
_HALVES = ("نیم", "نصف")
_CURRENCIES = (
    *("تومان", "ریال", "دلار", "یورو", "پوند", "درهم", "دینار", "روپیه", "روبل", "یوان", "ین", "لیر", "لیره", "فرانک", "کرون", "وون"),
    "منات",
)
_SIGNS = {"%": "درصد", "$": "دلار", "€": "یورو", "£": "پوند"}
PERCENT, TIMES = "درصد", "برابر"


def _measures() -> dict[str, tuple[str | None, int]]:
    """Each word that may end a quantity: its unit and what it multiplies by. «میلیاردی» is a magnitude that nothing can follow."""
    units = {unit: (unit, 1) for unit in (*_CURRENCIES, PERCENT, TIMES)} | {"تومن": ("تومان", 1), "همت": ("تومان", 10**12)}
    adjectives = {f"{word}{'ی' if word[-1] not in 'او' else 'یی'}": measure for word, measure in units.items()}
    return {**units, **adjectives, **{f"{word}ی": (None, scale) for word, scale in _MAGNITUDES.items()}}


_MEASURES = _measures()


_KindOfAtom = Literal["digits", "count", "magnitude", "half", "and", "ordinal", "measure", "sign", "other"]


class _Atom(NamedTuple):
    """A number's smallest part. ``opens`` and ``closes``: at the start and end of its word; ``joined``: at most a space before it."""

    kind: _KindOfAtom
    start: int
    end: int
    joined: bool
    value: Fraction = Fraction(0)
    text: str = ""
    opens: bool = True
    closes: bool = True


_LETTER = r"[^\W\d_]"
_A_MEASURE = rf"(?:%|(?:{'|'.join(sorted(_MEASURES, key=len, reverse=True))})(?!{_LETTER}))"
_DECIMAL_COMMA = rf"(?<!\d,)\d++,\d{{1,2}}(?= ?(?:{_A_MEASURE}|{'|'.join(_MAGNITUDES)}))"
_TOKEN = re.compile(rf"(?P<digits>{_DECIMAL_COMMA}|\d+(?:[,،]\d{{3}}(?!\d))*(?:[./:]\d+)*)|(?P<letters>{_LETTER}+)|(?P<sign>[%$€£])")
_PARTS = sorted({*_COUNTS, *_MAGNITUDES, *_HALVES, *_MEASURES, "و"}, key=len, reverse=True)
_PART = re.compile("|".join(_PARTS))
_MADE_OF_PARTS = re.compile(f"(?>{_PART.pattern})++")  # possessive: a word of many parts is read once
_GLUED_FRACTION = re.compile(f"({'|'.join(_ONES[1:])})((?:سو|{'|'.join(_ONES[4:])}|ده|صد|هزار)م)")  # «یک‌سوم»
_ORDINAL_ENDING = re.compile(r"(?:ا?م|ا?می|ا?مین)$")
_NO_ORDINALS = {"سهم", "سهمی", "سهمین", "سیم", "سیمی", "سیمین", "دوام", "دوامی"}  # share, wire, a name, durability


def _atoms(text: str) -> Iterator[_Atom]:
    end = -1
    for token in _TOKEN.finditer(text):
        joined = end >= 0 and text[end : token.start()] in ("", " ")
        start, end = token.span()
        if token["digits"]:
            value = None if _tied_to_latin(text, start, end) else _digits(token["digits"], text[end : end + _LONGEST_MEASURE])
            yield _Atom("other" if value is None else "digits", start, end, joined, value or Fraction(0))
        elif token["sign"]:
            yield _Atom("sign", start, end, joined, text=token["sign"])
        else:
            for kind, value, part_start, part_end in _take_apart(token["letters"]):
                opens, closes = part_start == 0, part_end == end - start
                part = token["letters"][part_start:part_end]
                yield _Atom(kind, start + part_start, start + part_end, joined or not opens, value, part, opens, closes)


@lru_cache(maxsize=65536)
def _take_apart(word: str) -> tuple[tuple[_KindOfAtom, Fraction, int, int], ...]:
    """Kind, value, start and end of each atom of a word; the whole word as one of kind ``other`` where it is no number."""
    if _MADE_OF_PARTS.fullmatch(word):
        return tuple((*_part(match[0]), *match.span()) for match in _PART.finditer(word))
    if fraction := _GLUED_FRACTION.fullmatch(word):
        n, m = fraction.span(2)
        return ("count", Fraction(_COUNTS[fraction[1]]), 0, n), *((kind, value, n, m) for kind, value, _, _ in _take_apart(fraction[2]))
    value = 4 if word == "ربع" else 3 if word in ("سوم", "سومی", "سومین") else _ordinal(word)
    return (("ordinal" if value else "other", Fraction(value), 0, len(word)),)


def _ordinal(word: str) -> int:
    """7 of «هفتم», 21 of «بیستویکمین», 0 of a word that is no ordinal."""
    stem = _ORDINAL_ENDING.sub("", word)
    if stem == word or word in _NO_ORDINALS or stem.startswith("و") or not _MADE_OF_PARTS.fullmatch(stem):
        return 0
    parts = _PART.findall(stem)
    return 0 if _MEASURES.keys() & set(parts) else sum(_COUNTS.get(part) or _MAGNITUDES.get(part, 0) for part in parts)


def _part(part: str) -> tuple[_KindOfAtom, Fraction]:
    if part in _COUNTS:
        return "count", Fraction(_COUNTS[part])
    if part in _MAGNITUDES:
        return "magnitude", Fraction(_MAGNITUDES[part])
    if part in _HALVES:
        return "half", Fraction(1, 2)
    return ("measure", Fraction(_MEASURES[part][1])) if part in _MEASURES else ("and", Fraction(0))


def _tied_to_latin(text: str, start: int, end: int) -> bool:
    """Whether digits belong to a name, a code or a hashtag: «G20», «F-16», «5G», «#جام_جهانی۲۶»."""
    before, after = text[max(0, start - 40) : start], text[end : end + 2]
    return _NAMING.search(before) is not None or re.match(r"-?[A-Za-z_]", after) is not None


_NAMING = re.compile(r"(?:[A-Za-z]-?|[#_]\w*-?)$")
_GROUPED = re.compile(r"(\d{1,3}(?:[,،]\d{3})+|\d{1,3}(?:\.\d{3}){2,})(?:[./](\d+))?")
_SLASHED = re.compile(r"[1-9]\d{0,2}(?:/\d{3})+")
_DOTTED = re.compile(r"[1-9]\d{0,2}\.\d{3}")
_PLAIN = re.compile(r"(0|[1-9]\d{0,17})(?:([./]|,(?=\d\d?$))(\d{1,6}))?")
_LONGEST_MEASURE = 10
_MEASURED = re.compile(f" ?{_A_MEASURE}")
_NEVER_IN_PARTS = re.compile(rf" ?(?:(?:تومان|تومن|ریال)ی?|نفر)(?!{_LETTER})")
_WHOLE = re.compile(rf" ?(?:(?:{'|'.join((*_CURRENCIES, 'تومن'))})ی?|نفر)(?!{_LETTER})")  # what is given in whole thousands


def _digits(run: str, after: str) -> Fraction | None:
    """Value of digits with their points, or None for a date, a clock time, a telephone number or a season («۹۰/۹۱»).

    A comma that one or two digits follow is a decimal point where ``_TOKEN`` has found a measure or a magnitude after them («۳۲,۲ درصد»).
    A slash is the Persian decimal point («۱۲/۵»), unless the two sides are years in a row and no measure comes after them, or it parts
    groups of three: several («۱/۲۵۰/۰۰۰»), one of noughts («۱/۰۰۰»), or one in a sum of money («۱۲/۵۰۰ تومان»). So does a point, but of
    other currencies there are thousandths («۱.۱۲۵ دلار» for a euro).
    """
    if _DOTTED.fullmatch(run) and (run.endswith(".000") or _NEVER_IN_PARTS.match(after)):
        return Fraction(run.replace(".", ""))
    if _SLASHED.fullmatch(run) and len(run) < 30 and (run.count("/") > 1 or run.endswith("/000") or _WHOLE.match(after)):
        return Fraction(run.replace("/", ""))
    if (grouped := _GROUPED.fullmatch(run)) and len(run) < 30:
        return Fraction(f"{re.sub(r'[,،.]', '', grouped[1])}.{grouped[2] or 0}")
    plain = _PLAIN.fullmatch(run)
    if not plain:
        return None
    whole, point, decimals = plain[1], plain[2], plain[3] or "0"
    seasons = point == "/" and len(decimals) > 1 and (len(whole) == 4 or int(decimals) == int(whole[-2:]) + 1)
    return None if seasons and not _MEASURED.match(after) else Fraction(f"{whole}.{decimals}")


# Grammar -----------------------------------------------------------------------------------------------------------------------------


_TOO_MUCH = 10**15  # no magnitude after this: «هزار هزار هزار …» is no number


class _Term(NamedTuple):
    """A section that has been read: «۸۶۰ میلیون» is 860,000,000 of scale 1,000,000. ``product``: of all its magnitudes."""

    value: Fraction
    scale: int
    product: int


def _is(atoms: list[_Atom], i: int, *kinds: _KindOfAtom) -> bool:
    """Whether atom ``i`` continues the one before it and is of one of the kinds."""
    return i < len(atoms) and atoms[i].joined and atoms[i].kind in kinds


def _quantity(atoms: list[_Atom], i: int) -> tuple[Numeral | None, int]:
    """Read a quantity that begins at atom ``i``: the numeral, if there is one, and the atom to go on from."""
    sign = atoms[i] if atoms[i].kind == "sign" and _is(atoms, i + 1, "digits") else None
    first = i + (sign is not None)
    if not atoms[first].opens:
        return None, i + 1
    terms, kind, after = _number(atoms, first)
    if not terms or not (atoms[after - 1].closes or _is(atoms, after, "measure")):
        return None, max(after, i + 1)
    if (skip := _spoilt(atoms, after)) > after:
        return None, skip
    value, scale, first_scale = sum((term.value for term in terms), Fraction(0)), terms[-1].scale, terms[0].product
    unit = _SIGNS[sign.text] if sign else None
    measure, end = _measure(atoms, after)
    if measure and atoms[end - 1].closes:
        unit, factor = measure[0] or unit, measure[1]
        value, scale, first_scale, after = value * factor, scale * factor, first_scale * factor, end
    elif not atoms[after - 1].closes:
        return None, after
    numeral = Numeral(
        start=atoms[i].start,
        end=atoms[after - 1].end,
        value=_plain(value),
        unit=unit,
        kind=_kind_of_unit(unit) or kind,
        spelled=atoms[first].kind != "digits",
        scale=scale,
        first_scale=first_scale,
    )
    return numeral, after


def _plain(value: Fraction) -> Value:
    return int(value) if value.denominator == 1 else float(value)


def _kind_of_unit(unit: str | None) -> Kind | None:
    return None if unit is None else "percent" if unit == PERCENT else "multiple" if unit == TIMES else "money"


def _number(atoms: list[_Atom], i: int) -> tuple[list[_Term], Kind, int]:
    """Terms of a number at atom ``i`` (none if there is no number), its kind, and the atom after it."""
    count, after = _count(atoms, i)
    if count is None:
        return [], "cardinal", i + 1
    if _is(atoms, after, "ordinal") and 0 < count < atoms[after].value and count.denominator == 1:
        return [_Term(count / atoms[after].value, 1, 1)], "fraction", after + 1
    terms, after = _section([], atoms, i)
    while terms and terms[-1].scale > 1:
        joined = _is(atoms, after, "and")
        if joined and _is(atoms, after + 1, "half"):
            return [*terms, _Term(Fraction(terms[-1].scale, 2), terms[-1].scale, terms[-1].scale)], "cardinal", after + 2
        goes_on = _is(atoms, after + joined, "digits", "count") or (joined and _is(atoms, after + 1, "magnitude"))
        longer, end = _section(terms, atoms, after + joined) if goes_on else ([], 0)
        if not longer or not (joined or (longer[-1].scale > 1 and len(longer) > len(terms))):  # «۲ میلیون ۳۰۰ هزار»: its «و» was lost
            break
        terms, after = longer, end
    return terms, "fraction" if atoms[i].kind == "half" else "cardinal", after


def _section(terms: list[_Term], atoms: list[_Atom], i: int) -> tuple[list[_Term], int]:
    """``terms`` and the section at atom ``i``, and the atom after it; no terms if the section does not go on from them."""
    count, after = _count(atoms, i)
    if count is None or (terms and count >= terms[-1].scale):
        return [], i
    value, scale, product, terms = count, 1, 1, list(terms)
    if _is(atoms, after, "and") and _is(atoms, after + 1, "half"):
        value, after = value + Fraction(1, 2), after + 2
    elif tenths := _tenths(atoms, after):
        value, after = value + tenths, after + 3
    while value < _TOO_MUCH and (_is(atoms, after, "magnitude") or (after == i and atoms[i].kind == "magnitude")):
        scale = int(atoms[after].value)
        # «120 هزار و 500 میلیارد»: what stands before counts milliards too
        while terms and terms[-1].scale < scale and scale >= 10**9:
            before = terms.pop()
            value, product = value + before.value, before.product
        if terms and terms[-1].scale <= scale:
            return [], i
        value, product, after = value * scale, product * scale, after + 1
    return [*terms, _Term(value, scale, product)], after


def _count(atoms: list[_Atom], i: int) -> tuple[Fraction | None, int]:
    """Digits, words below a thousand, a half, or the one of «هزار»; and the atom after it."""
    atom = atoms[i]
    if atom.kind in ("digits", "half"):
        return atom.value, i + 1
    if atom.kind == "magnitude" and atom.value == 1000:
        return Fraction(1), i
    if atom.kind != "count":
        return None, i
    value, i = atom.value, i + 1
    if value < 10 and _is(atoms, i, "count") and atoms[i].value == 100:
        value, i = value * 100, i + 1
    last = value
    while _is(atoms, i, "and") and _is(atoms, i + 1, "count") and 0 < atoms[i + 1].value < _room(last):
        last = atoms[i + 1].value
        value, i = value + last, i + 2
    return value, i


def _room(last: Fraction) -> int:
    """What comes after «و» is smaller than this: after hundreds tens or ones, after tens ones, after ones nothing."""
    return 100 if last >= 100 else 10 if last >= 20 else 0


def _tenths(atoms: list[_Atom], i: int) -> Fraction | None:
    """0.2 for «و دو دهم» at atom ``i``."""
    if _is(atoms, i, "and") and _is(atoms, i + 1, "count", "digits") and _is(atoms, i + 2, "ordinal"):
        count, ordinal = atoms[i + 1].value, atoms[i + 2].value
        return count / ordinal if ordinal in (10, 100, 1000) and count < ordinal else None
    return None


def _spoilt(atoms: list[_Atom], i: int) -> int:
    """The atom to go on from if what follows makes a number of words an ordinal or a vague word, else ``i``."""
    if _is(atoms, i, "other"):
        if atoms[i].text in ("ام", "امین", "امی", "م", "مین"):  # «۲۱ ام», «۲۱مین»
            return i + 1
        if atoms[i].text in ("ها", "های", "هایی") and atoms[i - 1].kind != "digits":
            return i + 2 if _is(atoms, i + 1, "magnitude") else i + 1  # «ده ها هزار»
    if _is(atoms, i, "and") and i + 1 < len(atoms) and atoms[i + 1].joined:
        last, then = atoms[i - 1], atoms[i + 1]
        room = _room(last.value) if last.kind == "count" else last.value if last.kind == "magnitude" else 0
        if then.text in ("چند", "چندم", "اندی") or (then.kind == "ordinal" and then.value < room):
            return i + 2
    return i


def _measure(atoms: list[_Atom], i: int) -> tuple[tuple[str | None, int] | None, int]:
    """The measure at atom ``i``, if there is one, and the atom after it."""
    if _is(atoms, i, "sign"):
        return (_SIGNS[atoms[i].text], 1), i + 1
    if _is(atoms, i, "other") and atoms[i].text == "در" and _is(atoms, i + 1, "count", "other") and atoms[i + 1].text in ("صد", "صدی"):
        return (PERCENT, 1), i + 2
    if not _is(atoms, i, "measure"):
        return None, i
    if atoms[i].text == TIMES and _is(atoms, i + 1, "other") and atoms[i + 1].text == "با":  # «equal to», not «times»
        return None, i
    return _MEASURES[atoms[i].text], i + 1


# Units -------------------------------------------------------------------------------------------------------------------------------

_LOOK_AHEAD, _LOOK_BEHIND = 100, 20  # characters of the text after and before that may matter
_RANGE = re.compile(rf"\s*(?:(?:تا|الی|یا)(?!{_LETTER})|-|–)\s*(?=[^\s])")
_DIGIT = re.compile(r"\d")
_BESIDE = rf"(?<!{_LETTER})(?:منفی|ممیز|چند(?:ین)?|(?:ده|صد|هزار) ?ها)(?!{_LETTER})"  # words that a numeral is a part with
_DIGIT_OR_BESIDE = re.compile(rf"[\d−–-]|{_BESIDE}")  # a hyphen is no sure minus: it may be a range's, «۱۰-۱۵»
_BESIDE_BEFORE = re.compile(rf"(?:−|{_BESIDE}) ?$")
_GLUED = re.compile(rf"(?:{'|'.join(_MAGNITUDES)}){ZWNJ}?(?=(?:نفر|خانوار|تن|واحد|هکتار)ی?(?!{_LETTER}))")
_POINT_AFTER = re.compile(rf"\s*ممیز(?!{_LETTER})")
_TWO_WORDS = re.compile(
    "(?:(?:متر|کیلو ?متر) (?:مربع|مکعب)|(?:کیلو|مگا|گیگا)وات ساعت|مهد کودک|شبانه روز|درجه سانتی ?گراد"
    r"|میلی ?(?:متر|لیتر|گرم)|سانتی ?متر|کیلو ?(?:متر|گرم)|واحد درصد)(?!\w)"
)
_FUNCTION_WORDS = """
    از به با بر در تا برای و یا که را هم نیز هر این آن همین همان او وی من ما شما آنها ایشان خود یک دو چند همه هیچ بین میان روی زیر بدون
    جز مگر اما ولی اگر چون پس زیرا بلکه بیش بیشتر کمتر کم حدود نزدیک تقریبا فقط تنها دیگر گذشته آینده جاری اخیر امسال امروز دیروز فردا
    اول آخر نخست همچنین سپس آنجا اینجا هنوز اکنون الان چه چرا کجا جمعا مجموعا رسما عدد رقم می نمی
"""
_VERBS_AND_ADJECTIVES = """
    است بود شد هست نیست باشد شود کرد گفت داد داشت دارد دارند داشتند شدند بودند هستند نیستند شده بوده کرده داده رسید رسیده رسیدند رفت
    آمد یافت یافته افزود افزایش کاهش رشد برسد کند کنند کردند دهد دهند خواهد خواهند باید نباید شوند باشند گردید گردد گرفت گرفتند گرفته
    اعلام ثبت انجام وجود جدید بزرگ کوچک مختلف
"""
_NOT_COUNTED = frozenset((_FUNCTION_WORDS + _VERBS_AND_ADJECTIVES).split())


def _cut(surface: str, following: str) -> tuple[str, str]:
    """The two with what decides a value in the first: «هزار» of « هزارنفر», as no span ends within a word; « نفر», which no half has."""
    text, end = surface + following, len(surface)
    glued = _GLUED.search(text)
    if glued and not text[end : glued.start()].strip():
        end = glued.end()
    elif whole := _WHOLE.match(text, end):
        end = whole.end()
    return text[:end], text[end:]


def _counted(following: str) -> str | None:
    """The counted noun: two words that are one («متر مربع»), else the next word, unless it is a number or no noun.

    ``following`` has standard letters («مرکز» for «مركز») and its ZWNJ. Only a word that stands right after the numeral counts.
    """
    spaced = following[:_LOOK_AHEAD].replace("\n", " ")
    text = spaced.lstrip(f" {ZWNJ}")
    if pair := _TWO_WORDS.match(text.replace(ZWNJ, " ")):
        return pair[0]
    word = first_word(text)
    if len(word) < 2 or not word[0].isalpha() or word[0].isascii():
        return None
    number = _take_apart(word.replace(ZWNJ, ""))[0][0] in ("count", "magnitude", "half", "ordinal")
    return None if number or word in _NOT_COUNTED or word.startswith((f"می{ZWNJ}", "نمی")) else word


def _first_of_range(numeral: Numeral, rest: str) -> tuple[Value, str | None]:
    """Value and unit of the first end of a range, given the text that begins with the second end."""
    folded = fold(rest)
    second = next(iter(find(folded.text)), None)
    if second is None or second.start > 0:
        return numeral.value, None
    # «۲ تا ۳ هزار میلیارد» begins at 2 of these, «۲۵۰۰ تا ۳ هزار میلیارد» at 2500 milliards, «۵۰۰ تا ۲ هزار» at 500
    scale = next((scale for scale in (second.first_scale, second.scale) if numeral.value < second.value / scale), 1)
    value = _plain(Fraction(str(numeral.value)) * scale)
    return value, second.unit or _counted(rest[folded.origin(second.start, second.end)[1] :])
