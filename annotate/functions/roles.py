"""ROLE: offices by head noun, with the ezafe chain of unit, organisation and place that completes them.

``scanners.office_at`` decides where an office ends.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.labels import OUTSIDE, ROLE

from .base import Passage, SpanFunction
from .scanners import complete_office, full_name, is_surname, name_at, office_at, office_head, pointed_out
from .words import SPEAKER_CLAUSE, SPEECH, Words, title_end, words_of

Votes = Iterator[tuple[int, int, str]]


def _offices(words: Words) -> Iterator[tuple[int, int]]:
    """(first word, word after) of the offices of a text, from left to right."""
    i = 0
    while i < len(words):
        end = office_at(words, i)
        if end is not None:
            yield i, end
        i = end or i + 1


def offices(passage: Passage) -> Votes:
    """An office's head noun and its complement.

    Fires: ⟦معاون توسعه مدیریت و منابع سازمان بهزیستی کشور⟧ و ⟦وزیر تعاون، کار و رفاه اجتماعی⟧ آمدند.
    Not: این مسوول و زنان سرپرست خانوار آمدند.
    """
    words = words_of(passage.text)
    for i, end in _offices(words):
        yield *words.span(i, end), ROLE


def offices_of_one(passage: Passage) -> Votes:
    """Offices that name one person by themselves.

    Fires: ⟦مقام معظم رهبری⟧ تاکید کردند که ⟦رئیس جمهور⟧ پیگیری کند.
    Not: رئیس اداره بهزیستی آمد.
    """
    words = words_of(passage.text)
    for i, end in _offices(words):
        if complete_office(words, i) is not None:
            yield *words.span(i, end), ROLE


def offices_that_speak(passage: Passage) -> Votes:
    """An office before a verb of speech or «با بیان», «با اشاره».

    Fires: ⟦استاندار قزوین⟧ با اشاره به برنامه‌ها گفت: کار ادامه دارد.
    Not: مددکار بهزیستی گفت: کار ادامه دارد.
    """
    words = words_of(passage.text)
    for i, end in _offices(words):
        after = end + (words[end] in ("نیز", "هم"))
        if words.match(SPEECH, after) is not None or words.match(SPEAKER_CLAUSE, end) is not None:
            yield *words.span(i, end), ROLE


def offices_before_names(passage: Passage) -> Votes:
    """An office with the name of its holder after it, with or without a title.

    Fires: ⟦رئیس سازمان بهزیستی⟧ دکتر وحید قبادی دانا آمد.
    Not: رئیس سازمان بهزیستی کشور آمد.
    """
    words = words_of(passage.text)
    for i, end in _offices(words):
        start = title_end(words, end) or end
        if full_name(words, start) is not None or (start > end and name_at(words, start) is not None) or is_surname(words[start]):
            yield *words.span(i, end), ROLE


def offices_after_names(passage: Passage) -> Votes:
    """«X، مدیرکل …»: an office in apposition to a name.

    Fires: علی سماواتی، ⟦مدیر کل اداره بهزیستی استان همدان⟧، در نشست حاضر شد.
    Not: به گزارش ایرنا، مدیر کل بهزیستی استان همدان حاضر شد.
    """
    words = words_of(passage.text)
    for i, end in _offices(words):
        if words[i - 1] in ("،", "(") and any(name_at(words, k) == i - 1 for k in range(max(0, i - 6), i - 1)):
            yield *words.span(i, end), ROLE


def known_offices(passage: Passage) -> Votes:
    """An office that the article has established, word for word.

    Fires: با پیگیری ⟦رئیس سازمان بهزیستی کشور⟧ آغاز شد. (known: ROLE: رئیس سازمان بهزیستی کشور)
    Not: با پیگیری سازمان بهزیستی کشور آغاز شد. (known: ROLE: رئیس سازمان بهزیستی کشور)
    """
    words = words_of(passage.text)
    for surface in passage.known.get(ROLE, ()):
        for i, end in words.find((surface,)):
            if office_at(words, i) == end:
                yield *words.span(i, end), ROLE


def classes_of_people(passage: Passage) -> Votes:
    """A veto: an office's noun that a determiner makes one of many, or a class.

    Fires: این ⟦نماینده⟧ مجلس گفت.
    Not: نماینده مجلس گفت.
    """
    words = words_of(passage.text)
    for i in range(1, len(words)):
        if pointed_out(words, i) and (end := office_head(words, i)) is not None:
            yield *words.span(i, end), OUTSIDE


FUNCTIONS: tuple[SpanFunction, ...] = (
    offices,
    offices_of_one,
    offices_that_speak,
    offices_before_names,
    offices_after_names,
    known_offices,
    classes_of_people,
)
