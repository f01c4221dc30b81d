"""Noisy copies of labelled sentences: other mentions in a span's place, and the spellings that outlets really use.

Every change is an edit of a character range, and the offsets of all spans move with it.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from models.labels import NUMBER
from models.records import Example, Range, Span, overlap
from models.settings import AugmentSettings
from models.text import DIGITS, ZWNJ, words

from .mentions import mention

Edit = tuple[int, int, str]  # replace text[start:end] by the string

_ARABIC = str.maketrans("یک", "يك")
_DIGIT = re.compile(r"\d")


def rewrite(example: Example, edits: Iterable[Edit]) -> Example:
    """The example after disjoint edits of non-empty ranges, each within a span or outside all; spans keep to their words."""
    pieces: list[str] = []
    moved: list[tuple[int, int]] = [(0, 0)]  # (old position, new position) after each edit
    last = length = 0
    for start, end, new in sorted(edits):
        pieces += [example.text[last:start], new]
        length += start - last + len(new)
        moved.append((end, length))
        last = end
    text = "".join([*pieces, example.text[last:]])

    def at(position: int) -> int:
        old, new = max(pair for pair in moved if pair[0] <= position)
        return new + position - old

    def shifted(span: Span) -> Span:
        start, end = at(span.start), at(span.end)
        return replace(span, start=start, end=end, text=text[start:end])

    spans = None if example.spans is None else tuple(map(shifted, example.spans))
    return replace(example, text=text, spans=spans, unsure=tuple((at(start), at(end)) for start, end in example.unsure))


@dataclass(frozen=True)
class Augmenter:
    """Makes noisy copies; ``pool`` holds the mentions that may stand for one another, by label and by whether they are one word, and
    ``rarest`` is the label of the fewest mentions.
    """

    settings: AugmentSettings
    pool: Mapping[tuple[str, bool], Sequence[str]]
    rarest: str | None = None

    @classmethod
    def of(cls, settings: AugmentSettings, examples: Iterable[Example]) -> Augmenter:
        """An augmenter whose mentions are those of the examples that are trained on, each kept once."""
        pool: dict[tuple[str, bool], set[str]] = defaultdict(set)
        counts: Counter[str] = Counter()
        for example in examples:
            for span in example.spans or ():
                pool[_kind(span)].add(span.text)
                counts[span.label] += 1
        return cls(settings, {kind: sorted(mentions) for kind, mentions in pool.items()}, min(counts, key=counts.__getitem__, default=None))

    def copies(self, example: Example, rng: random.Random) -> list[Example]:
        """``settings.copies`` noisy copies, ``rare_copies`` more where the rarest label is in it, ids numbered on from the example's."""
        rare = any(span.label == self.rarest for span in example.spans or ())
        count = self.settings.copies + (self.settings.rare_copies if rare else 0)
        return [replace(self.noisy(example, rng), id=f"{example.id}~{i + 1}") for i in range(count)]

    def noisy(self, example: Example, rng: random.Random) -> Example:
        """One copy: mentions first, spelling after, so that replaced mentions get the noise of their sentence."""
        noisy = rewrite(example, self._mentions(example, rng))
        if not _on_word_edges(noisy):  # «۴۰۰» of «۴۰۰بسته» became a word that runs on into its neighbour
            noisy = example
        for change in self._spelling(rng):
            noisy = rewrite(noisy, change(noisy.text))
        return noisy

    def _mentions(self, example: Example, rng: random.Random) -> list[Edit]:
        edits = []
        for span in example.spans or ():
            if any(overlap(span.range, stretch) for stretch in example.unsure) or rng.random() >= self.settings.mention_replacement:
                continue
            if span.label == NUMBER and rng.random() < 0.5:
                new = _other_digits(span.text, rng)
            else:
                made = mention(span, rng) if rng.random() < self.settings.made_mentions else None
                new = made or rng.choice(self.pool.get(_kind(span)) or [span.text])
            edits.append((span.start, span.end, new))
        return edits

    def _spelling(self, rng: random.Random) -> list[Callable[[str], list[Edit]]]:
        """The spelling habits of one imagined outlet: each holds for a whole sentence."""
        s = self.settings
        changes: list[Callable[[str], list[Edit]]] = []
        if rng.random() < s.lost_zwnj:
            changes.append(SPELLINGS["no ZWNJ"])
        elif rng.random() < s.spaced_zwnj:
            changes.append(lambda text: _substitute(text, ZWNJ, " "))
        if rng.random() < s.arabic_letters:
            changes.append(SPELLINGS["Arabic letters"])
        if rng.random() < s.digit_script:
            script = rng.choice(DIGITS)
            changes.append(lambda text: _digits(text, script))
        return changes


def _on_word_edges(example: Example) -> bool:
    ranges = words(example.text)
    starts, ends = {start for start, _ in ranges}, {end for _, end in ranges}
    return all(span.start in starts and span.end in ends for span in example.spans or ())


def _kind(span: Span) -> tuple[str, bool]:
    return span.label, len(words(span.text)) == 1


def _other_digits(text: str, rng: random.Random) -> str:
    """A number of the same form: each digit drawn anew in its own script, the first of a run never a zero."""

    def other(match: re.Match[str]) -> str:
        script = next(s for s in DIGITS if match.group()[0] in s)
        return "".join(script[rng.randint(0 if i else 1, 9)] for i in range(len(match.group())))

    return re.sub("|".join(f"[{script}]+" for script in DIGITS), other, text)


def _substitute(text: str, old: str, new: str) -> list[Edit]:
    return [(m.start(), m.end(), new) for m in re.finditer(re.escape(old), text)]


def _arabic_letters(text: str) -> list[Edit]:
    changed: Sequence[Range] = [m.span() for m in re.finditer("[یک]", text)]
    return [(start, end, text[start:end].translate(_ARABIC)) for start, end in changed]


def _digits(text: str, script: str) -> list[Edit]:
    return [(m.start(), m.end(), script[int(m.group())]) for m in _DIGIT.finditer(text)]


# the edits that spell a whole text another way
SPELLINGS: Mapping[str, Callable[[str], list[Edit]]] = {
    "no ZWNJ": lambda text: _substitute(text, ZWNJ, ""),
    "Arabic letters": _arabic_letters,
    "Latin digits": lambda text: _digits(text, DIGITS[0]),
}
