"""PROGRAM: public programmes, services, campaigns, systems, funds and credit lines, by known names, quotation marks and head nouns.

``scanners.program_at`` decides where a programme's name ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from models.labels import OUTSIDE, PROGRAM

from .base import Passage, SpanFunction
from .scanners import DETERMINERS, kind_end, known_program, not_a_program, office_at, program_at, program_head, quoted_end
from .words import Words, words_of

Votes = Iterator[tuple[int, int, str]]


@lru_cache(maxsize=64)
def _in_offices(words: Words) -> frozenset[int]:
    """The words of offices but for their first: what they name is part of the office («مدیرعامل صندوق …»)."""
    return frozenset(k for i in range(len(words)) for k in range(i + 1, office_at(words, i) or i))


def _programs(words: Words) -> Iterator[tuple[int, int]]:
    """(first word, word after) of the programmes of a text outside its offices, from left to right."""
    i = 0
    while i < len(words):
        end = program_at(words, i) if i not in _in_offices(words) else None
        if end is not None:
            yield i, end
        i = end or i + 1


def named_by_head(passage: Passage) -> Votes:
    """A head noun with the complement that singles it out.

    Fires: ⟦طرح توانبخشی مبتنی بر جامعه⟧ و ⟦سامانه اشتغال⟧ این سازمان آغاز شد.
    Fires: با اجرای ⟦طرح مدارس سبز⟧ در استان، ⟦پروژه ساماندهی چهار راه بهار⟧ بود.
    Fires: ⟦طرح رعد ۵⟧ اجرا شد.
    Not: این طرح و برنامه‌های متنوع اجرا شد.
    Not: هفت پروژه آب‌رسانی، طرح دیدگاه‌ها و طرح بزرگ مسکن روستا بررسی شد.
    Not: سامانه متصل شد.
    """
    words = words_of(passage.text)
    for i, end in _programs(words):
        yield *words.span(i, end), PROGRAM


def known_by_name(passage: Passage) -> Votes:
    """Programmes that have one fixed name, and credit lines by note of the budget.

    Fires: ⟦تسهیلات تبصره ۱۶⟧ و ⟦مراکز مثبت زندگی⟧ رشد کرد.
    Fires: ⟦طرح هادی روستایی⟧ در ⟦برنامه‌های پنجم و ششم توسعه⟧ آمد.
    Not: تسهیلات اشتغال و مرکز خدمات بهزیستی رشد کرد.
    Not: هدفمندی یارانه‌ها و اردوهای راهیان نور بررسی شد.
    """
    words = words_of(passage.text)
    for i, end in _programs(words):
        if known_program(words, i) is not None:
            yield *words.span(i, end), PROGRAM


def quoted(passage: Passage) -> Votes:
    """A head noun, perhaps its kind, and a name in quotation marks; the marks inside the span stay, a closing one at its end stays out.

    Fires: ⟦پویش «مهر ماندگار⟧» و ⟦طرح ملی «نهال دانش⟧» آغاز شد.
    Not: وزیر گفت: «طرح خوبی است».
    """
    words = words_of(passage.text)
    for i in range(len(words)):
        head = program_head(words, i)
        if (
            head is None
            or words[i] == "برنامه"
            or words[i - 1] in DETERMINERS
            or (close := quoted_end(words, kind_end(words, head))) is None
        ):
            continue
        if i not in _in_offices(words) and not not_a_program(words, head, close):
            yield *words.span(i, close), PROGRAM


def known_programs(passage: Passage) -> Votes:
    """A programme that the article has established, word for word.

    Fires: مرحله دوم ⟦طرح مهر ماندگار⟧ آغاز شد. (known: PROGRAM: طرح مهر ماندگار)
    Not: مرحله دوم طرح آغاز شد. (known: PROGRAM: طرح مهر ماندگار)
    """
    words = words_of(passage.text)
    for surface in passage.known.get(PROGRAM, ()):
        for i, end in words.find((surface,)):
            if words[i - 1] not in DETERMINERS and i not in _in_offices(words):
                yield *words.span(i, end), PROGRAM


def generic_mentions(passage: Passage) -> Votes:
    """A veto: head nouns with a determiner, broadcast programmes, weapons, bills.

    Fires: این ⟦طرح⟧ و ⟦سامانه پدافندی⟧ بررسی شد.
    Not: طرح توانبخشی مبتنی بر جامعه بررسی شد.
    """
    words = words_of(passage.text)
    for i in range(len(words)):
        if (head := program_head(words, i)) is None or known_program(words, i) is not None or i in _in_offices(words):
            continue
        if words[i - 1] in DETERMINERS:
            yield *words.span(i, head), OUTSIDE
        elif not_a_program(words, head, head + 1):
            yield *words.span(i, head + 1), OUTSIDE


FUNCTIONS: tuple[SpanFunction, ...] = (named_by_head, known_by_name, quoted, known_programs, generic_mentions)
