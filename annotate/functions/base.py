"""What a labelling function sees and how it speaks.

A span function takes a ``Passage`` and yields ``(start, end, label)``, offsets into the *folded* text; the label ``O`` says "this is
none". A claim function takes a ``Passage`` and returns a class or None. To say nothing is to abstain. Each function's docstring carries a
line ``Fires: …`` with the spans it must give in ⟦…⟧ (for a claim: ``Fires: CLASS: …``) and a line ``Not: …`` on which it must stay silent;
either may end in ``(known: LABEL: surface)``, what the article has established. A test runs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from models.records import Sentence
from models.text import ZWNJ, Folded, fold

LEXICONS = Path(__file__).parents[1] / "lexicons"


@dataclass(frozen=True)
class Passage:
    """One sentence under labelling.

    ``known`` maps a span type to the folded surfaces that the first pass over the whole article established («سید مرتضی حسینی» a PERSON);
    it is empty in the first pass.
    """

    sentence: Sentence
    folded: Folded
    known: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The folded text that functions match on."""
        return self.folded.text


SpanFunction = Callable[[Passage], Iterable[tuple[int, int, str]]]
ClaimFunction = Callable[[Passage], str | None]


@cache
def entries(lexicon: str) -> tuple[str, ...]:
    """The entries of ``lexicons/NAME.txt`` as written; the first line (``# source …; licence``) and other ``#`` lines are left out."""
    lines = (LEXICONS / f"{lexicon}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def any_of(phrases: Iterable[str]) -> str:
    """A regular expression's alternation over folded text, longest first: a space or ZWNJ of a phrase also matches none or a space."""
    folded = sorted({fold(phrase.replace(ZWNJ, " ")).text for phrase in phrases}, key=len, reverse=True)
    return "(?:" + "|".join(re.escape(phrase).replace(r"\ ", " ?") for phrase in folded) + ")"


@cache
def lexicon(*names: str) -> str:
    """``any_of`` the entries of word lists."""
    return any_of(entry for name in names for entry in entries(name))
