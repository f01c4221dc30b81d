"""PERSON: names by first-name lists, titles, verbs of speech, offices beside them, and what the article has already named.

Marks of respect, titles and offices stay outside; «سید» belongs to the name. ``scanners.name_at`` decides where a name ends.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.labels import OUTSIDE, PERSON

from .base import Passage, SpanFunction
from .scanners import PROMINENT, UNITS, full_name, given_names, is_eponym, is_surname, may_be_surname, name_at, office_at, surname_end
from .words import COMMON_WORDS, PLACES, SPEAKER_CLAUSE, SPEECH, Words, at_boundary, follows_title, joined, title_end, word_set, words_of

Votes = Iterator[tuple[int, int, str]]
_HOLY = frozenset(("امام", "حضرت", "پیامبر"))
_HOLY_NAMES = word_set(
    "خمینی علی حسن حسین سجاد باقر صادق کاظم رضا جواد هادی مهدی زهرا فاطمه زینب محمد عباس ابوالفضل موسی عیسی ابراهیم یوسف رقیه معصومه خدیجه"
)
_REPORTED_BY = joined("به گفته", "به نقل از", "به گزارش", "به باور", "به اعتقاد", "از نظر", "به روایت", "به قلم", "به نوشته")
_OPENINGS = frozenset(("", "،", "؛", ":", ".", "»", "-", "/", "«"))


def _names(words: Words) -> Iterator[tuple[int, int]]:
    """(first word, word after) of the full names of a text, from left to right."""
    i = 0
    while i < len(words):
        end = full_name(words, i)
        if end is not None:
            yield i, end
        i = end or i + 1


def full_names(passage: Passage) -> Votes:
    """A first name and what follows it.

    Fires: ⟦مریم صالحی⟧ و ⟦سید محمدرضا احمدی نژاد⟧ در نشست حاضر بودند.
    Not: خیابان شهید رضا کریمی بسته شد.
    """
    words = words_of(passage.text)
    for i, end in _names(words):
        if not is_eponym(words, i):
            yield *words.span(i, end), PERSON


def titled_names(passage: Passage) -> Votes:
    """A title, which stays outside, and a name.

    Fires: دکتر ⟦کریمی⟧ و آقای ⟦سعید نوری⟧ آمدند.
    Not: بیمارستان دکتر کریمی افتتاح شد.
    """
    words = words_of(passage.text)
    for i in range(len(words)):
        if (after := title_end(words, i)) is None or follows_title(words, i) or is_eponym(words, i):
            continue
        end = name_at(words, after)
        if end is not None and office_at(words, after) is None:
            yield *words.span(after, end), PERSON


def speakers(passage: Passage) -> Votes:
    """A surname that opens a clause, before its verb of speech or «با بیان», «با اشاره».

    Fires: ⟦سماواتی⟧ با بیان اینکه کار رو به پایان است، افزود: زمان کم است.
    Not: تهران با اشاره به توافق گفت: مذاکره ادامه دارد.
    """
    words = words_of(passage.text)
    for i in range(len(words)):
        if words[i - 1] not in _OPENINGS:
            continue
        end = name_at(words, i)
        if end is None or office_at(words, i) is not None:
            continue
        after = words.match(SPEECH, end)  # with a verb in the plural a lone word is a class of people: «پزشکان می‌گویند»
        spoken = after is not None and (full_name(words, i) is not None or not words[after - 1].endswith("ند"))
        described = words.match(SPEAKER_CLAUSE, end) is not None and _surname_shape(words, i)
        if (spoken or described) and (full_name(words, i) or _bare_surname(words, i)):
            yield *words.span(i, end), PERSON


def _surname_shape(words: Words, i: int) -> bool:
    """Whether the word at ``i`` has a surname's form, or the final «ی» that most surnames have."""
    return is_surname(words[i]) or given_names(words, i) > i or (len(words[i]) > 4 and words[i].endswith("ی"))


def _bare_surname(words: Words, i: int) -> bool:
    return words[i] not in PLACES and words[i] not in UNITS and len(words[i]) > 3 and may_be_surname(words, i)


def quoted_sources(passage: Passage) -> Votes:
    """A name after «به گفته», «به نقل از», «به گزارش».

    Fires: به گفته ⟦قبادی دانا⟧؛ این خدمات رایگان است.
    Not: به گزارش خبرگزاری فارس، برنامه آغاز شد.
    """
    words = words_of(passage.text)
    for i in range(len(words)):
        if (after := words.longest(_REPORTED_BY, i)) is None:
            continue
        after = title_end(words, after) or after
        end = name_at(words, after)
        if end is not None and (
            full_name(words, after) or (_surname_shape(words, after) and at_boundary(words, end) and _bare_surname(words, after))
        ):
            yield *words.span(after, end), PERSON


def names_after_offices(passage: Passage) -> Votes:
    """A name after an office; a comma and a title may stand between them.

    Fires: رئیس سازمان بهزیستی ⟦وحید قبادی دانا⟧ گفت: کار آغاز شد.
    Not: رئیس سازمان بهزیستی کشور گفت: کار آغاز شد.
    """
    words = words_of(passage.text)
    for i in range(len(words)):
        end_office = office_at(words, i)
        if end_office is None:
            continue
        start = end_office + (words[end_office] == "،")
        start = title_end(words, start) or start
        end = full_name(words, start)
        if end is not None:
            yield *words.span(start, end), PERSON


def names_before_offices(passage: Passage) -> Votes:
    """«X، مدیرکل …،»: a name and its office in apposition.

    Fires: ⟦هفتجوش⟧، رئیس اداره بهزیستی شهرستان خرمشهر، از افتتاح خبر داد.
    Not: به گزارش ایرنا، رئیس اداره بهزیستی شهرستان خرمشهر آمد.
    """
    words = words_of(passage.text)
    for i in range(len(words)):
        if words[i - 1] not in _OPENINGS and not follows_title(words, i):
            continue
        end = name_at(words, i)
        if end is None or words[end] not in "،(" or end >= len(words) or office_at(words, end + 1) is None:
            continue
        if full_name(words, i) or (_bare_surname(words, i) and (i == 0 or follows_title(words, i) or is_surname(words[i]))):
            yield *words.span(i, end), PERSON


def holy_names(passage: Passage) -> Votes:
    """A holy person's name after «امام», «حضرت» or «پیامبر».

    Fires: سخنان امام ⟦خمینی⟧ (ره) و سیره حضرت ⟦زهرا⟧ (س) خوانده شد.
    Not: کمیته امداد امام خمینی (ره) و حرم امام رضا بسته شد.
    """
    words = words_of(passage.text)
    for i in range(1, len(words)):
        if words[i - 1] in _HOLY and not is_eponym(words, i) and (words[i] in _HOLY_NAMES or full_name(words, i)):
            yield *words.span(i, full_name(words, i) or i + 1), PERSON


def prominent_surnames(passage: Passage) -> Votes:
    """A public figure whose surname is written alone.

    Fires: دیدار ⟦پوتین⟧ و ⟦اردوغان⟧ برگزار شد.
    Not: خیابان ماندلا بسته شد.
    """
    words = words_of(passage.text)
    i = 0
    while i < len(words):
        end = words.longest(PROMINENT, i)
        if end is not None and not _inside_name(words, i) and not is_eponym(words, i):
            yield *words.span(i, max(end, surname_end(words, i))), PERSON
        i = end or i + 1


def _inside_name(words: Words, i: int) -> bool:
    """Whether a full name that begins before word ``i`` reaches over it."""
    return any((full_name(words, k) or 0) > i for k in range(max(0, i - 4), i))


def known_names(passage: Passage) -> Votes:
    """A name that the article has established, in full or by its surname.

    Fires: با تایید ⟦حسینی⟧ آغاز شد. (known: PERSON: سید مرتضی حسینی)
    Not: با تایید مدیران آغاز شد. (known: PERSON: سید مرتضی حسینی)
    """
    words = words_of(passage.text)
    for surface in passage.known.get(PERSON, ()):
        for short in (surface, _surname_of(surface)):
            for i, end in words.find((short,)) if short else ():
                if not is_eponym(words, i) and (short == surface or not _inside_name(words, i)) and _alone(words, i, end, short):
                    yield *words.span(i, end), PERSON


def _surname_of(surface: str) -> str:
    """The surname of a folded full name, or nothing where it has none."""
    words = words_of(surface)
    j = given_names(words, 0) or 1
    return surface[words.ranges[j][0] :] if j < len(words) else ""


def _alone(words: Words, i: int, end: int, short: str) -> bool:
    """Whether a surname stands for its owner: not another's, and no ordinary word or place unless someone speaks."""
    if end - i > 1:
        return True
    doubtful = short in PLACES or short in COMMON_WORDS or short in UNITS or len(short) < 4
    if doubtful:
        return words.match(SPEECH, end) is not None or follows_title(words, i)
    if not is_surname(short) and not short.endswith("ی"):
        return words[i - 1] in _OPENINGS or follows_title(words, i) or at_boundary(words, end)
    return i == 0 or given_names(words, i - 1) == i - 1


def eponyms(passage: Passage) -> Votes:
    """A veto: people's names inside the names of streets, schools, bodies.

    Fires: خیابان شهید ⟦رضا کریمی⟧ بسته شد.
    Not: دکتر رضا کریمی آمد.
    """
    words = words_of(passage.text)
    for i in range(len(words)):
        if is_eponym(words, i) and (end := name_at(words, i)) is not None and title_end(words, i) is None:
            yield *words.span(i, end), OUTSIDE


FUNCTIONS: tuple[SpanFunction, ...] = (
    full_names,
    titled_names,
    speakers,
    quoted_sources,
    names_after_offices,
    names_before_offices,
    holy_names,
    prominent_surnames,
    known_names,
    eponyms,
)
