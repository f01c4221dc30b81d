"""The words of a folded text, phrases looked up in them however they are spaced, and what surrounds a noun phrase: verbs, titles, signs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from models.records import Range
from models.text import fold

from .base import any_of, entries
from .verbs import IMPERFECT, PAST, PERFECT, PRESENT, SAID, SUBJUNCTIVE

_LONGEST_PHRASE = 7
_WORD = re.compile(r"[^\W\d_]+|\d+(?:[.,/]\d+)*|\S")


def phrase(alternation: str) -> re.Pattern[str]:
    """A pattern that matches a whole phrase: it ends where a word ends."""
    return re.compile(rf"(?:{alternation})(?!\w)")


def joined(*phrases: str) -> frozenset[str]:
    """Folded phrases without their spaces, as ``Words.longest`` compares them: «مدیر کل», «مدیر‌کل» and «مدیرکل» are one."""
    return frozenset(fold(entry).text.replace(" ", "") for entry in phrases)


def phrases(*names: str) -> frozenset[str]:
    """The ``joined`` entries of word lists."""
    return joined(*(entry for name in names for entry in entries(name)))


def word_set(text: str) -> frozenset[str]:
    """Folded words, written with spaces between them."""
    return frozenset(fold(text).text.split())


def vocabulary(*names: str) -> frozenset[str]:
    """The folded one-word entries of word lists."""
    return frozenset(fold(entry).text for name in names for entry in entries(name) if " " not in entry)


@dataclass(frozen=True)
class Words:
    """A folded text cut into runs of letters, numerals and single signs."""

    text: str

    @cached_property
    def ranges(self) -> tuple[Range, ...]:
        return tuple(match.span() for match in _WORD.finditer(self.text))

    @cached_property
    def forms(self) -> tuple[str, ...]:
        return tuple(self.text[start:end] for start, end in self.ranges)

    @cached_property
    def _after(self) -> dict[int, int]:
        return {end: i + 1 for i, (_, end) in enumerate(self.ranges)}

    def __len__(self) -> int:
        return len(self.ranges)

    def __getitem__(self, i: int) -> str:
        """The word at ``i``; empty before the first and after the last."""
        return self.forms[i] if 0 <= i < len(self) else ""

    def match(self, pattern: re.Pattern[str], i: int) -> int | None:
        """Index after the phrase of ``pattern`` that begins at word ``i``."""
        if not 0 <= i < len(self):
            return None
        found = pattern.match(self.text, self.ranges[i][0])
        return self._after.get(found.end()) if found else None

    def longest(self, phrases: frozenset[str], i: int) -> int | None:
        """Index after the longest of the ``joined`` phrases that begins at word ``i``, however it is spaced."""
        form, end = "", None
        for k in range(i, min(i + _LONGEST_PHRASE, len(self)) if self[i] != "و" else i):  # «و زیر» is no «وزیر»
            form += self.forms[k]
            if form in phrases:
                end = k + 1
        return end

    def span(self, i: int, j: int) -> Range:
        """Character range of words ``i`` to ``j - 1``."""
        return self.ranges[i][0], self.ranges[j - 1][1]

    def find(self, surfaces: Iterable[str]) -> Iterator[Range]:
        """(first word, word after) of every occurrence of folded surfaces as whole words."""
        for surface in surfaces:
            parts = tuple(_WORD.findall(surface))
            for i in range(len(self) - len(parts) + 1):
                if self.forms[i : i + len(parts)] == parts:
                    yield i, i + len(parts)


@lru_cache(maxsize=64)
def words_of(text: str) -> Words:
    """The words of a folded text, kept while the functions look at it one after the other."""
    return Words(text)


# --- what surrounds a phrase -------------------------------------------------------------------------------------------------------

FUNCTION_WORDS = vocabulary("function_words")
TIME_WORDS = vocabulary("time_words")
COMMON_WORDS = vocabulary("common_words") | FUNCTION_WORDS | TIME_WORDS
PLACES = vocabulary("places", "countries")
COUNTRIES = vocabulary("countries")
PLACE_PHRASES = phrases("places", "countries")
_TITLE = phrases("titles")
# An officer's rank, and his service, which is said after it and is no name: «سرلشکر پاسدار خلبان …».
_RANKS = word_set("سردار سرلشکر سرلشگر سرتیپ دوم سرهنگ سرگرد سروان ستوان")
_SERVICES = word_set("پاسدار خلبان")
_SAYING_NOUN = any_of(
    word_set(
        "اظهار بیان تصریح تاکید خاطرنشان عنوان اضافه اعلام ابراز مطرح تشریح ادعا توصیه پیشنهاد توصیف ارزیابی هشدار توضیح ادامه "
        "خبر پاسخ وعده یادآور یاداور متذکر مدعی خواستار معتقد دستور اشاره"
    )
    | {"خاطر نشان"}
)
_SAYING_VERB = any_of(
    [
        "کرد",
        "کرده",
        "کردند",
        "کرده است",
        "داد",
        "داده",
        "داده است",
        "شد",
        "شده",
        "شده است",
        "است",
        "داشت",
        "داشته",
        "نمود",
        "می کند",
        "می دهد",
        "بود",
    ]
)
SPEECH = phrase(rf"{SAID}|{_SAYING_NOUN} {_SAYING_VERB}")
# What stands between the speaker of a sentence and the verb.
SPEAKER_CLAUSE = phrase(
    "(?:با|ضمن) (?:بیان|اشاره|تاکید|تایید|اعلام|تشریح|تبریک|تسلیت|انتقاد|ابراز|یادآوری|قدردانی|تقدیر|ارایه|تشکر|گرامیداشت)"
    "|در (?:ادامه|پایان|پاسخ|این باره|خصوص|گفت ?و ?گو)|همچنین|نیز|هم"
)
_FINITE = phrase(
    rf"{PAST}|{SUBJUNCTIVE}|{IMPERFECT}|{PRESENT}|{PERFECT}|(?:شد|کرد|داد|گرفت|یافت|گفت|نوشت|داشت|بود)ه"
    "|ن?(?:داشت|بود|هست)(?:ند|یم|م)?|است|نیست(?:ند)?"
)
LIGHT_VERB = phrase(
    r"(?:ن?می ?|ن)?(?:کرد|داد|داشت|گرفت|زد|نمود|یافت)(?:(?:م|ند|یم|ید)?|ه(?: ?ام| ?اند| ?است| ?بود)?)"
    r"|(?:ن?می ?|ن)(?:کن|ده|دار|گیر|زن)(?:م|د|یم|ید|ند)|(?:کن|ده|دار|گیر)(?:د|ند|یم)|کنم|کنید|دارم|دارید|خواهد (?:کرد|داد|داشت|گرفت)"
)
PUNCTUATION = re.compile(r"[^\w\s]")


@lru_cache(maxsize=4096)
def is_verb(words: Words, i: int) -> bool:
    """Whether a finite verb stands at word ``i``."""
    return words.match(_FINITE, i) is not None or words[i] in ("می", "نمی")


def at_boundary(words: Words, i: int) -> bool:
    """Whether a phrase may end before word ``i``: at the end, before a sign or before what its speaker does."""
    return (
        i >= len(words)
        or bool(PUNCTUATION.match(words[i]))
        or words.match(SPEECH, i) is not None
        or words.match(SPEAKER_CLAUSE, i) is not None
    )


@lru_cache(maxsize=4096)
def title_end(words: Words, i: int) -> int | None:
    """Index after the titles that begin at word ``i``: «سردار سرتیپ», «آقای دکتر», «سرهنگ پاسدار»."""
    end = None
    while (after := words.longest(_TITLE, i)) is not None:
        i = end = after
        while words[i] in _SERVICES and words[i - 1] in _RANKS | _SERVICES:
            i = end = i + 1
    return end


def follows_title(words: Words, i: int) -> bool:
    """Whether a title stands right before word ``i``."""
    return any(title_end(words, k) == i for k in range(max(0, i - _LONGEST_PHRASE), i))
