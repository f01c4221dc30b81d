"""Hand-labelled tokens -> Examples: files of ``token|TAG`` or of CoNLL columns, with any set of span types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from models import files
from models.errors import UserError
from models.labels import OUTSIDE
from models.records import Example, Span

Tagged = tuple[str, str]  # a token and its tag

_TAG = re.compile(r"([BI])[-_](\S+)")
_DOCUMENT = "-DOCSTART-"  # CoNLL-2003's line between documents


def read_conll(path: str | Path) -> list[Example]:
    """The sentences of a file: a token a line, its tag last, a blank line after each sentence.

    A ``|`` parts token and tag where every line has one, else tabs, else blanks; of more than two columns the first and the last count. A
    token may hold spaces where blanks do not part. Tags are ``O``, ``B-X`` and ``I-X`` (or ``B_X``, ``I_X``); an ``I`` that continues
    nothing begins a span, as in CoNLL's own script. The text is the tokens with a space between each two. Raises UserError, with the line,
    for a line without a token or a tag and for a tag that is none, and for a file without a sentence.
    """
    lines = files.read_text(path).split("\n")
    tagged = [line for line in lines if line.strip() and not line.startswith(_DOCUMENT)]
    separator = next((s for s in ("|", "\t") if all(s in line for line in tagged)), " ")
    examples = [_example(f"{Path(path).stem}#{i}", sentence) for i, sentence in enumerate(_sentences(lines, separator, str(path)), 1)]
    if not examples:
        raise UserError(f"{path}: holds no sentence; give a token and its tag a line, for instance «تهران|B_LOC»")
    return examples


def _sentences(lines: Sequence[str], separator: str, name: str) -> Iterator[list[Tagged]]:
    sentence: list[Tagged] = []
    for number, line in enumerate((*lines, ""), 1):
        if not line.strip():
            if sentence:
                yield sentence
            sentence = []
        elif not line.startswith(_DOCUMENT):
            sentence.append(_token(line.strip(), separator, f"{name}, line {number}"))


def _token(line: str, separator: str, where: str) -> Tagged:
    left, _, tag = line.rpartition(separator)
    token = (left if separator == "|" else left.partition(separator)[0]).strip()  # «||O» is the token «|»
    tag = tag.strip()
    if not token:
        raise UserError(f"{where}: «{line[:40]}» is not a token and a tag; part them by |, a tab or a blank")
    if tag != OUTSIDE and not _TAG.fullmatch(tag):
        raise UserError(f"{where}, last column: «{tag[:40]}» is no tag; tags are O, B-X and I-X, or B_X and I_X")
    return token, tag


def _example(id: str, sentence: Sequence[Tagged]) -> Example:
    """A sentence with its tokens' spans as character spans."""
    spans: list[Span] = []
    text, open_label = "", None
    for token, tag in sentence:
        start = len(text) + bool(text)
        text = f"{text} {token}" if text else token
        prefix, label = match.groups() if (match := _TAG.fullmatch(tag)) else (None, None)
        if prefix == "I" and label == open_label:
            start = spans.pop().start
        if label:
            spans.append(Span(label, start, len(text), text[start:]))
        open_label = label
    return Example(id=id, text=text, spans=tuple(spans), claim=None, article=id)
