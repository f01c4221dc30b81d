"""Persian characters, words and sentences, every one with offsets into the untouched text.

``fold`` gives the form that rules and lexicons are matched on: one letter for each of the Arabic and Persian variants, ASCII digits, no
tatweel, no diacritics, no zero-width characters, single spaces. ZWNJ goes too, so that «راه‌اندازی» and «راهاندازی» are one form.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .records import Range

ZWNJ = "\u200c"
_SAME_LETTER = {"ي": "ی", "ى": "ی", "ې": "ی", "ئ": "ی", "ك": "ک", "ڪ": "ک", "ة": "ه", "ۀ": "ه", "ە": "ه", "ہ": "ه", "ؤ": "و", "أ": "ا", "إ": "ا", "ٱ": "ا"}
_SAME_MARK = {"٬": ",", "٫": ".", "٪": "%", "﷼": "ریال"}
_MARK_OR_FORMAT = {"Mn", "Me", "Cf"}


@dataclass(frozen=True)
class Folded:
    """A folded text and, for each of its characters, the index of the original character that it comes from."""

    text: str
    offsets: tuple[int, ...]
    original: str

    def origin(self, start: int, end: int) -> Range:
        """The range of the original text that the non-empty folded range [start, end) stands for.

        Marks that were dropped after the last letter belong to it; a zero-width character or a space there does not.
        """
        first, last = self.offsets[start], self.offsets[end - 1] + 1
        while last < len(self.original) and unicodedata.category(self.original[last]) in ("Mn", "Me"):
            last += 1
        return first, last

    @cached_property
    def _positions(self) -> dict[int, int]:
        return {origin: i for i, origin in reversed(list(enumerate(self.offsets)))}

    def position(self, origin: int) -> int:
        """Index of the first folded character that comes from ``original[origin]`` or later; ``len(self.text)`` if none does."""
        while origin < len(self.original):
            if origin in self._positions:
                return self._positions[origin]
            origin += 1
        return len(self.text)


@lru_cache(maxsize=65536)
def fold_character(character: str) -> str:
    """What one character becomes: itself, its standard form, or nothing. Any kind of space but the line break becomes a plain one."""
    if character in _SAME_LETTER:
        return _SAME_LETTER[character]
    if character in _SAME_MARK:
        return _SAME_MARK[character]
    if character == "\n":
        return character
    if character.isspace():
        return " "
    if character == "ـ" or unicodedata.category(character) in _MARK_OR_FORMAT:
        return ""
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    if 0xFB50 <= ord(character) <= 0xFEFF:  # Arabic presentation forms
        return "".join(fold_character(c) for c in unicodedata.normalize("NFKC", character) if c != character)
    return character


def fold(text: str) -> Folded:
    """Fold a text; see the module's docstring. A run of spaces becomes one, and a run with a line break in it becomes one line break."""
    characters: list[str] = []
    offsets: list[int] = []
    for i, character in enumerate(text):
        for folded in fold_character(character):
            if folded in " \n" and characters and characters[-1] in " \n":
                if folded == "\n" and characters[-1] == " ":
                    characters[-1], offsets[-1] = folded, i
                continue
            characters.append(folded)
            offsets.append(i)
    return Folded("".join(characters), tuple(offsets), text)


# A word: a run of letters with the marks and joiners inside it, or a run of digits with its inner points and commas, or one other sign.
_JOINERS = "\u200c\u200d\u0640\u00ad"
_WORD = re.compile(rf"\d+(?:[.,٫٬/:]\d+)*|[^\W\d_](?:[^\W\d_]|[{_JOINERS}\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]+(?=[^\W\d_]|\B))*|\S")


def words(text: str) -> list[Range]:
    """Ranges of a text's words: letters with their marks and ZWNJ («می‌شود» is one), digits («۲.۵» is one, «۴۰۰بسته» is two), signs."""
    return [match.span() for match in _WORD.finditer(text)]
