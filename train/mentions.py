"""Mentions that no sentence has to hold: names made of the lexicons, quantities made of the grammar.

They are for what the text at hand lacks: the names of other people, units that came up after it was written («همت»), figures written
into one word («۸میلیون و ۲۳۱هزار»).
"""

from __future__ import annotations

import random

from annotate.functions.base import entries
from models.labels import NUMBER, PERSON
from models.numerals import Kind, find
from models.records import Span
from models.text import DIGITS, ZWNJ, fold, words

_SMALL = ("دو", "سه", "چهار", "پنج", "شش", "هفت", "هشت", "نه", "ده")
_MAGNITUDES = ("میلیارد", "میلیون", "هزار")
_UNITS: dict[Kind, tuple[str, ...]] = {
    "money": ("تومان", "تومان", "ریال", "دلار", "یورو", "همت", "همت"),
    "percent": ("درصد", "درصد", "%", "٪"),
    "multiple": ("برابر",),
    "cardinal": ("",),
}


def mention(span: Span, rng: random.Random) -> str | None:
    """Another of the span's kind: a surname for a single word, a first name and a surname for a longer PERSON; for a NUMBER a quantity
    of money, percent, times, or of things in thousands and more. None where there is no such: those of the sentences will do.
    """
    if span.label == PERSON:
        surname = rng.choice(entries("surnames"))
        return surname if len(words(span.text)) == 1 else f"{rng.choice(entries('first_names'))} {surname}"
    return quantity(span.text, rng) if span.label == NUMBER else None


def quantity(surface: str, rng: random.Random) -> str | None:
    """A quantity of the kind that the surface is of, as digits of its script where it has some; None for small counts and fractions."""
    numerals = find(fold(surface).text)
    if len(numerals) != 1 or numerals[0].kind not in _UNITS:
        return None
    kind, large = numerals[0].kind, numerals[0].scale > 1 or numerals[0].value >= 1000
    if kind == "cardinal" and not large:
        return None
    unit = rng.choice(_UNITS[kind])
    gap = "" if unit in ("%", "٪") else rng.choice((" ", " ", " ", ZWNJ if kind == "multiple" else ""))
    if kind in ("money", "cardinal") and unit != "همت":
        number = _sections(rng, rng.choice((" ", " ", "")))
    else:
        number = _count(rng, words_too=gap != "")
    if not gap and unit[:1].isalpha() and number[-1].isalpha():  # «میلیاردتومان» is read as a word of its own
        gap = " "
    if unit and surface.endswith("ی") and unit[-1].isalpha():  # «میلیارد تومانی»
        unit += "یی" if unit.endswith("و") else "ی"  # «یورویی»
    made = f"{number}{gap}{unit}" if unit else number
    return made.translate(str.maketrans(DIGITS[0], _script_of(surface, rng)))


def _sections(rng: random.Random, gap: str) -> str:
    """«۸ میلیون و ۲۳۱ هزار و ۴۰۰»: some of the magnitudes, from the greatest down."""
    chosen = sorted(rng.sample(range(len(_MAGNITUDES)), rng.choice((1, 1, 2))))
    if len(chosen) == 1:
        parts = [f"{_count(rng, words_too=gap != '')}{gap}{_MAGNITUDES[chosen[0]]}"]
    else:  # whole ones: nobody writes «۲.۵ میلیون و ۳۰۰ هزار»
        parts = [f"{rng.randint(1, 999)}{gap}{_MAGNITUDES[i]}" for i in chosen]
    if chosen[-1] == len(_MAGNITUDES) - 1 and rng.random() < 0.3:
        parts.append(str(rng.randint(1, 999)))
    return " و ".join(parts)


def _count(rng: random.Random, *, words_too: bool) -> str:
    """Under a thousand: whole, with a decimal, or a small one in letters."""
    form = rng.random()
    if form < 0.2 and words_too:
        return rng.choice(_SMALL)
    return f"{rng.randint(1, 99)}.{rng.randint(1, 9)}" if form < 0.35 else str(rng.randint(1, 999))


def _script_of(surface: str, rng: random.Random) -> str:
    return next((script for script in DIGITS if set(script) & set(surface)), None) or rng.choice(DIGITS[:2])
