"""Predictions as text: a table for a terminal, JSON lines, CSV, or one right-to-left HTML page; or as a Parquet file.

Each format of text is a generator of pieces, so that what is written is never all in memory.
"""

from __future__ import annotations

import csv as csv_module
import io
import re
from collections.abc import Iterable, Iterator
from html import escape
from itertools import islice
from typing import IO, Any

from .files import to_json
from .labels import ANNOUNCEMENT, NUMBER, PERSON, POLICY, PROGRAM, ROLE, STATISTIC
from .records import Claim, PredictedSentence, Prediction, Span

SUFFIXES = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet", ".html": "html", ".htm": "html", ".txt": "table"}
FORMATS = ("table", "jsonl", "csv", "html", "parquet")
NAMES = {  # of the labels, for a Persian reader
    PERSON: "شخص",
    ROLE: "سمت",
    NUMBER: "عدد",
    PROGRAM: "برنامه",
    ANNOUNCEMENT: "رویداد",
    STATISTIC: "آمار",
    POLICY: "سیاست",
}
_ABSTAINED = "—"
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # but \t, \n and \r, which HTML has too


def write(predictions: Iterable[Prediction], format: str, out: IO[bytes]) -> None:
    """Write a whole output in one of ``FORMATS`` as bytes, UTF-8 where it is text."""
    if format == "parquet":
        parquet(predictions, out)
    else:
        out.writelines(piece.encode() for piece in render(predictions, format))


def render(predictions: Iterable[Prediction], format: str, *, colour: bool = False) -> Iterator[str]:
    """The pieces of a whole output in one of ``FORMATS`` but parquet, which is no text; ``colour`` is the table's."""
    if format == "html":
        return html(predictions)
    if format == "csv":
        return csv(predictions)
    if format == "jsonl":
        return (to_json(prediction.to_dict()) + "\n" for prediction in predictions)
    return (table(prediction, colour=colour) + "\n" for prediction in predictions)


# --- table ---

_COLOURS = {PERSON: 34, ROLE: 35, NUMBER: 32, PROGRAM: 33, ANNOUNCEMENT: 36, STATISTIC: 32, POLICY: 33}


def table(prediction: Prediction, *, colour: bool = False) -> str:
    """A prediction for a person at a terminal: a line a sentence, under it a line a span with its value.

    The Persian text stands last on its line, so that no terminal's idea of right-to-left order moves the columns before it.
    """

    def paint(label: str, text: str) -> str:
        return f"\x1b[{_COLOURS[label]}m{text}\x1b[0m" if colour and label in _COLOURS else text

    values = [_value(span) for sentence in prediction.sentences for span in sentence.spans]
    width = max(map(len, values), default=0)
    lines = [_flat(prediction.id)]
    for sentence in prediction.sentences:
        claim = (sentence.claim and sentence.claim.label) or _ABSTAINED
        score = f"{sentence.claim.score:.2f}" if sentence.claim else ""
        lines += ["", f"{paint(claim, f'{claim:<12}')} {score:<4}  {_flat(sentence.text)}"]
        for span in sentence.spans:
            unit = f" ({span.unit})" if span.unit else ""
            lines.append(f"  {paint(span.label, f'{span.label:<10}')} {span.score:.2f}  {_value(span):>{width}}  {_flat(span.text)}{unit}")
    return "\n".join(lines) + "\n"


def _value(span: Span) -> str:
    return "" if span.value is None else f"{span.value:,}"


def _flat(text: str) -> str:
    """On one line, and without the control characters that would steer a terminal."""
    return " ".join(_CONTROLS.sub(" ", text).split())


# --- CSV ---

COLUMNS: tuple[str, ...] = ("document", "sentence", "sentence_start", "sentence_end", "sentence_text", "claim", "claim_score")
COLUMNS += ("label", "start", "end", "text", "score", "value", "unit")


def csv(predictions: Iterable[Prediction]) -> Iterator[str]:
    """A row a span, with its sentence's claim beside it; a sentence without spans has one row whose last seven columns are empty.

    So a sentence is a distinct (document, sentence), a span a row with a label. UTF-8; offsets are into the document.
    """
    yield _row(COLUMNS)
    for prediction in predictions:
        for number, sentence in enumerate(prediction.sentences, 1):
            claim = sentence.claim or Claim(None, 0.0, {})
            head = (prediction.id, number, sentence.start, sentence.end, sentence.text, claim.label, claim.score if claim.scores else None)
            for span in sentence.spans:
                yield _row((*head, span.label, span.start, span.end, span.text, span.score, span.value, span.unit))
            if not sentence.spans:
                yield _row((*head, *[None] * 7))


def _row(fields: Iterable[object]) -> str:
    line = io.StringIO()
    csv_module.writer(line, lineterminator="\r\n").writerow(fields)  # before Python 3.13 it quotes \r for that alone
    return line.getvalue()[:-2] + "\n"


# --- Parquet ---

_GROUP = 1000  # documents


def parquet(predictions: Iterable[Prediction], out: IO[bytes]) -> None:
    """A row a document, nested as the JSON is: ``sentences`` is a list of structs, each with its ``claim`` and its list of ``spans``."""
    import pyarrow as pa  # noqa: PLC0415 - no other format needs to wait for it
    import pyarrow.parquet as pq  # noqa: PLC0415

    place = [("start", pa.int64()), ("end", pa.int64()), ("text", pa.string())]
    span = pa.struct([("label", pa.string()), *place, ("score", pa.float64()), ("value", pa.float64()), ("unit", pa.string())])
    claim = pa.struct([("label", pa.string()), ("score", pa.float64()), ("scores", pa.map_(pa.string(), pa.float64()))])
    sentence = pa.struct([*place, ("claim", claim), ("spans", pa.list_(span))])
    schema = pa.schema([("id", pa.string()), ("text", pa.string()), ("sentences", pa.list_(sentence))])
    with pq.ParquetWriter(out, schema, compression="zstd") as file:
        rows = map(_parquet_row, predictions)
        while group := list(islice(rows, _GROUP)):
            file.write_table(pa.Table.from_pylist(group, schema=schema))


def _parquet_row(prediction: Prediction) -> dict[str, Any]:
    row = prediction.to_dict()
    for sentence in row["sentences"]:
        for span in sentence["spans"]:
            if "value" in span:
                span["value"] = float(span["value"])  # a whole number past 2**53 is rounded, as Parquet has no type for both
        if sentence["claim"]:
            sentence["claim"]["scores"] = list(sentence["claim"]["scores"].items())
    return row


# --- HTML ---

_HEAD = """<!DOCTYPE html>
<html lang="fa" dir="rtl">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>گزاره</title>
<style>
:root {
  color-scheme: light dark;
  --page: light-dark(#f6f6f3, #16181b); --paper: light-dark(#fff, #1f2226);
  --ink: light-dark(#1d1f21, #e6e6e3); --faint: light-dark(#6b6f73, #9a9ea3); --line: light-dark(#e2e2dd, #33373c);
  --other: light-dark(#6b6f73, #9a9ea3);
}
.PERSON { --hue: light-dark(#1f63c4, #7db2ff); } .ROLE { --hue: light-dark(#8a3fb0, #d59bf5); }
.NUMBER { --hue: light-dark(#0b7a4b, #63d6a0); } .PROGRAM { --hue: light-dark(#b4570a, #ffb066); }
.ANNOUNCEMENT { --hue: light-dark(#0b7285, #66d0e0); } .STATISTIC { --hue: light-dark(#0b7a4b, #63d6a0); }
.POLICY { --hue: light-dark(#a33a3a, #f59a9a); }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 1.1rem/2.1 Vazirmatn, "Noto Naskh Arabic", Tahoma, "Segoe UI", sans-serif; }
main { max-width: 56rem; margin: auto; padding: 1rem; }
header, article { background: var(--paper); border: 1px solid var(--line); border-radius: .6rem;
  padding: .8rem 1.2rem; margin-block: 1rem; }
h1, h2 { font-size: 1.15rem; margin: 0; } h2 { color: var(--faint); font-weight: 600; overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; font-size: .9rem; }
.sentence { display: grid; grid-template-columns: 6.5rem 1fr; gap: 1rem; border-top: 1px solid var(--line); padding-block: .4rem; }
.sentence p { margin: 0; white-space: pre-line; overflow-wrap: anywhere; }
.claim { align-self: start; margin-top: .45rem; font-size: .8rem; line-height: 1.7; padding-inline: .6rem; border-radius: 1rem;
  text-align: center; color: var(--hue, var(--other)); border: 1px solid; }
mark { color: inherit; background: color-mix(in srgb, var(--hue, var(--other)) 16%, transparent);
  border-bottom: 2px solid var(--hue, var(--other)); border-radius: .2rem; padding-inline: .15rem; }
mark::after { content: attr(data-badge); unicode-bidi: isolate; font-size: .65rem; color: var(--hue, var(--other));
  margin-inline-start: .3rem; }
@media (max-width: 36rem) { .sentence { grid-template-columns: 1fr; gap: 0; } .claim { justify-self: start; } }
@media print { body { background: none; } article { border: 0; } }
</style>
</head>
<body>
<main>
"""
_TAIL = "</main>\n</body>\n</html>\n"


def html(predictions: Iterable[Prediction]) -> Iterator[str]:
    """One page that needs nothing beside it: a row a sentence with its claim, spans coloured, their labels and values in small badges."""
    yield _HEAD + _legend()
    for prediction in predictions:
        yield f"<article>\n<h2><bdi>{_safe(prediction.id)}</bdi></h2>\n"
        for sentence in prediction.sentences:
            yield f'<div class="sentence">{_claim_chip(sentence.claim)}<p dir="auto">{_marked(sentence)}</p></div>\n'
        yield "</article>\n"
    yield _TAIL


def _legend() -> str:
    spans = " ".join(f'<mark class="{label}" title="{label}">{NAMES[label]}</mark>' for label in (PERSON, ROLE, NUMBER, PROGRAM))
    claims = " ".join(f'<span class="claim {label}" title="{label}">{NAMES[label]}</span>' for label in (ANNOUNCEMENT, STATISTIC, POLICY))
    return f'<header>\n<h1>گزاره</h1>\n<div class="legend">{spans} {claims}</div>\n</header>\n'


def _claim_chip(claim: Claim | None) -> str:
    if claim is None:
        return "<span></span>"
    scores = _safe("، ".join(f"{NAMES.get(label, label)} {score:.2f}" for label, score in claim.scores.items()))
    if claim.label is None:
        return f'<span class="claim" title="{scores}">{_ABSTAINED}</span>'
    name = _safe(NAMES.get(claim.label, claim.label))
    return f'<span class="claim {_safe(claim.label)}" title="{scores}">{name} <bdi>{claim.score:.2f}</bdi></span>'


def _marked(sentence: PredictedSentence) -> str:
    """The sentence's text with its spans marked."""
    pieces, at = [], 0
    for span in sentence.spans:
        start, end = span.start - sentence.start, span.end - sentence.start
        name = NAMES.get(span.label, span.label)
        meaning = f"{_value(span)} {span.unit or ''}".strip()
        badge, title = meaning or name, f"{name} ({span.label}) {span.score:.2f} {meaning}".strip()
        pieces.append(_safe(sentence.text[at:start]))
        pieces.append(f'<mark class="{_safe(span.label)}" data-badge="{_safe(badge)}" title="{_safe(title)}">{_safe(span.text)}</mark>')
        at = end
    return "".join([*pieces, _safe(sentence.text[at:])])


def _safe(text: str) -> str:
    """Escaped, and without the control characters that HTML forbids."""
    return escape(_CONTROLS.sub("\ufffd", text))
