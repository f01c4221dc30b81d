"""Persian characters, words and sentences, every one with offsets into the untouched text.

``fold`` gives the form that rules and lexicons are matched on: one letter for each of the Arabic and Persian variants, ASCII digits, no
tatweel, no diacritics, no zero-width characters, single spaces. ZWNJ goes too, so that «راه‌اندازی» and «راهاندازی» are one form.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .records import Range

ZWNJ = "\u200c"
DIGITS = ("0123456789", "۰۱۲۳۴۵۶۷۸۹", "٠١٢٣٤٥٦٧٨٩")  # Latin, Persian, Arabic
_VARIANTS = {"ی": "يىېئ", "ک": "كڪ", "ه": "ةۀەہ", "و": "ؤ", "ا": "أإٱ", ",": "٬", ".": "٫", "%": "٪", "ریال": "﷼"}
_STANDARD = {variant: standard for standard, variants in _VARIANTS.items() for variant in variants}
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
    if character in _STANDARD:
        return _STANDARD[character]
    if character.isspace():
        return character if character == "\n" else " "
    if character == "ـ" or unicodedata.category(character) in _MARK_OR_FORMAT:
        return ""
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    if 0xFB50 <= ord(character) <= 0xFEFF and (plain := unicodedata.normalize("NFKC", character)) != character:  # presentation forms
        return "".join(map(fold_character, plain))
    return character


class _Folds(dict[int, str]):
    """``fold_character`` as a table for ``str.translate``, filled as characters are met."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = fold_character(chr(code))
        return folded


_FOLDS_BUT_ZWNJ = _Folds({ord(ZWNJ): ZWNJ})


def fold_characters(text: str) -> str:
    """Each character folded, but for ZWNJ: no offsets, and spaces as they are."""
    return text.translate(_FOLDS_BUT_ZWNJ)


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


# A word: a run of letters with the marks on them and the joiners between them, or a run of digits with its inner points and commas, or one
# other sign; a joiner after the last letter is none of its word.
_JOINERS = "\u200c\u200d\u00ad"
_MARKS = "\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
WORD = re.compile(rf"\d+(?:[.,٫٬/:]\d+)*|[^\W\d_](?:[^\W\d_]|[{_JOINERS}{_MARKS}]++(?=[^\W\d_])|[{_MARKS}]++)*|\S")


def words(text: str) -> list[Range]:
    """Ranges of a text's words: letters with their marks and ZWNJ («می‌شود» is one), digits («۲.۵» is one, «۴۰۰بسته» is two), signs."""
    return [match.span() for match in WORD.finditer(text)]


def first_word(text: str) -> str:
    """The word that a text begins with, or nothing."""
    match = WORD.match(text)
    return match[0] if match else ""


# Sentences. A line break ends one, unless the lines were wrapped; within a line a terminal mark does, unless it is part of a token such as
# a number or an initial, or stands in a quotation. Every regular expression here is linear: repeats are possessive or fixed in length.

_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_OPENING = {"»": "«", "”": "“", "›": "‹", ")": "(", "]": "[", "}": "{"}
_LONGEST = dict.fromkeys('«“‹"', 1000) | dict.fromkeys("([{", 200)  # characters; 99 % in news are shorter: beyond it, a mark was lost
_INVISIBLE = "\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_INSIDE = r"\w\u200c\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670"
_TOKEN = re.compile(
    rf"""(?P<whole> (?<![.{_INSIDE}])[^\W\d_]{{1,3}}+(?:\.[^\W\d_]{{1,3}}+){{2,}}+(?!\w)  # «بی.بی.سی», «ا.ج.ا»
                  | (?<![{_INSIDE}])(?:[^\W\d_a-zA-Z][ـ\u200d]?\.)++                # «ع.», «ق.م.», «ه.ش.», «هـ.ش.»
                  | (?<![.{_INSIDE}])(?:[a-zA-Z]\.)++(?=\s?[a-zA-Z])                  # J. K. Rowling
                  | \d++(?:[.,٫٬/:]\d++)*+ )
      | (?P<stop> [.!?؟…]++ )
      | (?P<bullet> (?<=\s)[🔹🔸🔶🔷🔺🔻▪◾◼♦🔴🔵] )
      | (?P<bracket> [«»“”‹›()\[\]{{}}"] )""",
    re.VERBOSE,
)
_CLOSERS = re.compile(rf"(?:\s?[»”›)\]}}]|[\".!?؟…{_INVISIBLE}])*+")
_NEXT = re.compile(r"(\s*+)(\w++|\S|$)")
_LETTER = re.compile(r"[^\W\d_]")
_AFTER_QUOTATION = {"را", "که", "و", "است", "بود", "شد", "نیز", "هم", "با"}  # words that carry a sentence on after «….» or «…؟»
_UNENDED = re.compile(rf"[^.!?؟…:»\s{_INVISIBLE}]\Z")


def sentences(text: str, within: Sequence[Range] | None = None) -> list[Range]:
    """Ranges of a text's sentences, in order and disjoint, in time linear in the text.

    ``within`` names the ordered, disjoint ranges to look at: all of the text by default. Edges are trimmed of white space and of zero-width
    characters; every other character of ``within`` is in a sentence. A line break ends a sentence, except in hard-wrapped text and beside a
    comma. A quotation or parenthesis that is closed in its line is never split, and its closing mark goes with its sentence.
    """
    width = _wrapped_at(text)
    found = []
    for start, end in [(0, len(text))] if within is None else within:
        for block in _blocks(text, start, end, width):
            found += [trimmed for piece in _split(text, *block) if (trimmed := _trim(text, *piece))]
    return found


def _wrapped_at(text: str) -> int:
    """The column at which a text is hard-wrapped, or 0: the next line's first word would not have fitted on at least 4 lines in 5."""
    lines = [line.rstrip() for line in _BREAK.split(text)]
    width = max((len(line) for line in lines if len(line.split()) >= 5), default=0)
    if not 50 <= width <= 130:
        return 0
    pairs = [(a, b) for a, b in itertools.pairwise(lines) if b and len(a.split()) >= 5 and _UNENDED.search(a)]
    full = sum(_is_full(a, b, width) for a, b in pairs)
    return width if full >= 3 and full >= 0.8 * len(pairs) else 0


def _is_full(line: str, following: str, width: int) -> bool:
    return len(line) + 1 + len(following.split(maxsplit=1)[0]) > width


def _blocks(text: str, start: int, end: int, width: int) -> Iterator[Range]:
    """The lines of text[start:end], wrapped ones joined."""
    first = start
    for line_break in _BREAK.finditer(text, start, end):
        if not _joins(text, start, line_break, end, width):
            yield first, line_break.start()
            first = line_break.end()
        start = line_break.end()
    yield first, end


def _joins(text: str, start: int, line_break: re.Match[str], end: int, width: int) -> bool:
    """Whether the line text[start:line_break] runs on in the next one."""
    following = _BREAK.search(text, line_break.end(), end)
    line = text[start : line_break.start()].rstrip()
    after = text[line_break.end() : following.start() if following else end]
    if not line or not after.strip():
        return False
    if line.endswith("،") or re.match(r"\s*(?:[،؛]|:\s*\w)", after):
        return True
    return width > 0 and _is_full(line, after, width)


def _split(text: str, start: int, end: int) -> Iterator[Range]:
    """Cut one block into sentences; a piece without a letter («۲.», «🔹») joins the next sentence, or at the end the last one."""
    cuts = list(_cuts(text, start, end))
    if cuts and not _LETTER.search(text, cuts[-1], end):
        cuts.pop()
    return zip([start, *cuts], [*cuts, end], strict=True)


def _cuts(text: str, start: int, end: int) -> Iterator[int]:
    """Where the sentences within one block end."""
    tokens = list(_TOKEN.finditer(text, start, end))
    steps = _paired(tokens)
    depth, cut, lettered = 0, start, False
    for token in tokens:
        lettered = lettered or _LETTER.search(text, start, token.start()) is not None
        start = token.start()  # letters are looked for once, so that the search stays linear
        depth += steps.get(start, 0)
        if not lettered or start < cut or not (token["stop"] or token["bullet"]):  # start < cut: in the closers of the mark before
            continue
        closers = _CLOSERS.match(text, token.end(), end) if token["stop"] else None
        cut = closers.end() if closers else start
        inside = depth + sum(steps.get(i, 0) for i in range(token.end(), cut))
        if not inside and (not closers or _ends(text, token, cut, end, depth > 0)):
            yield cut
            start, lettered = cut, False


def _paired(tokens: Iterable[re.Match[str]]) -> dict[int, int]:
    """Positions of the brackets and quotes that have their partner near enough: 1 for an opening one, -1 for a closing one."""
    steps: dict[int, int] = {}
    waiting: dict[str, list[int]] = {}
    for token in tokens:
        mark, at = token["bracket"], token.start()
        if not mark:
            continue
        before = token.string[at - 1 : at]
        opening = '"' if mark == '"' and before and not before.isspace() and before not in "(«:،" else _OPENING.get(mark)
        if opening is None:
            waiting.setdefault(mark, []).append(at)
        elif waiting.get(opening) and at - (opened := waiting[opening].pop()) <= _LONGEST[opening]:
            steps[opened], steps[at] = 1, -1
    return steps


def _ends(text: str, stop: re.Match[str], cut: int, end: int, closed: bool) -> bool:
    """Whether a terminal mark with its closing quotes, text[stop.start():cut], ends a sentence, by its neighbours."""
    following = _NEXT.match(text, cut, end)
    assert following is not None  # it matches the empty string too
    space, word = following.groups()
    if not word or word[0] in "،؛:,;/" or (not space and word[0] in "-_=&%+*\\'"):
        return False
    if not space and word[0].isascii() and (word[0].isalpha() or text[stop.start() - 1].isascii()):  # irna.ir, x?page=2
        return False
    mark = stop.group()
    if closed and (word in _AFTER_QUOTATION or (text[cut - 1] in ")]}" and not mark.endswith("."))):
        return False
    if mark == "…" or (len(mark) > 1 and set(mark) <= set(".…")):  # «کتاب، دفتر و ... خریدند» goes on, «نیامدند... وی افزود» does not
        before = text[max(0, stop.start() - 2) : stop.start()]
        return bool(space) and before[-1:].isalnum() and not re.fullmatch(r"\W?و", before)
    return True


def _trim(text: str, start: int, end: int) -> Range | None:
    """The range without white space and zero-width characters at its edges, or None if nothing is left."""
    while start < end and _is_blank(text[start]):
        start += 1
    while start < end and _is_blank(text[end - 1]):
        end -= 1
    return (start, end) if start < end else None


def _is_blank(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Cf"
