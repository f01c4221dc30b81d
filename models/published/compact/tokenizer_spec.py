"""What a tokenizer.json says, checked before the tokenizers library reads it and panics, or takes gigabytes, over a fault."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from reprlib import repr as short
from typing import Any

import numpy as np

from .errors import UserError

_TOKEN = frozenset(("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"))


def check_spec(path: Path, spec: Mapping[str, Any], embeddings: int, remedy: str) -> None:
    """Raise UserError for a piece without an embedding, a template of tokens that are not there, or a broken character map."""
    _check_pieces(path, spec, embeddings, remedy)
    for part in _parts(spec.get("post_processor")):
        _check_template(part, f"{path}, field 'post_processor'", remedy)
    for part in _parts(spec):
        if "precompiled_charsmap" in part and not _is_charsmap(part["precompiled_charsmap"]):
            raise UserError(f"{path}, field 'precompiled_charsmap': no character map; {remedy}")
        if isinstance(length := part.get("Fixed"), int) and length > embeddings:  # of padding: each text would become as long
            raise UserError(f"{path}, field 'padding': {short(length)} tokens for every text; {remedy}")


def _check_pieces(path: Path, spec: Mapping[str, Any], embeddings: int, remedy: str) -> None:
    """Raise UserError unless each piece has an id under ``embeddings``."""
    model, added = spec.get("model"), spec.get("added_tokens") or []
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(vocabulary, dict | list):
        raise UserError(f"{path}: cannot be loaded: no field 'model.vocab'; {remedy}")
    if not isinstance(added, list) or not all(isinstance(token, dict) and token.keys() <= _TOKEN for token in added):
        raise UserError(f"{path}, field 'added_tokens': not a list of tokens; {remedy}")
    if len(vocabulary) > embeddings:
        raise UserError(f"{path}: {len(vocabulary)} pieces for {embeddings} embeddings; take both files from one model")
    ids: Iterable[Any] = vocabulary.values() if isinstance(vocabulary, dict) else ()
    for i in (*ids, *(token.get("id") for token in added)):
        if type(i) is not int or not 0 <= i < embeddings:
            raise UserError(f"{path}: a piece has the id {short(i)}, and there are {embeddings} embeddings; take both files from one model")


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    """All the objects in a JSON value, itself included. A vocabulary's pieces are passed over: there are many, and no objects."""
    values = [value]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            yield value
            values.extend(inner for name, inner in value.items() if name not in ("vocab", "merges"))
        elif isinstance(value, list):
            values.extend(value)


def _check_template(part: Mapping[str, Any], where: str, remedy: str) -> None:
    """Raise UserError for a template with a special token that it does not define: the library panics over one."""
    defined = part.get("special_tokens")
    names = list(defined) if isinstance(defined, dict) else []
    for form in ("single", "pair"):
        for piece in pieces if isinstance(pieces := part.get(form), list) else ():
            token = piece.get("SpecialToken") if isinstance(piece, dict) else None
            if isinstance(token, dict) and token.get("id") not in names:
                raise UserError(f"{where}: {short(token.get('id'))} is none of its special tokens; {remedy}")


def _is_charsmap(encoded: Any) -> bool:
    """Whether SentencePiece's character map is whole: over one that is not, the library panics, if only at some characters.

    Base64 of: u32 bytes of a double-array trie, its u32 units, and a text of what characters are replaced by. A unit leads to another by
    an offset and the next byte; one with a leaf leads to a place in the text (https://github.com/s-yata/darts-clone).
    """
    try:
        data = base64.b64decode(encoded, validate=True)
        count = int.from_bytes(data[:4], "little") // 4
        units, text = np.frombuffer(data, "<u4", count, offset=4).astype(np.int64), data[4 + 4 * count :]
        text.decode()
    except (TypeError, ValueError):
        return False
    starts = np.append([byte & 0xC0 != 0x80 for byte in text], True)  # of characters; the end is one
    inner = np.flatnonzero(units < 1 << 31)  # the others are leaves
    found = units[inner]
    led_to = inner ^ (found >> 10 << ((found & 1 << 9) >> 6))
    if not count or (led_to | 0xFF).max(initial=0) >= count:
        return False
    places = units[led_to[found >> 8 & 1 == 1]] & 0x7FFFFFFF
    return bool(places.max(initial=0) < len(starts) and starts[places].all())
