"""The header of a safetensors file, read without its library: what tensors the file holds, believed only where the file bears it out.

The format (https://huggingface.co/docs/safetensors, "Format"): a u64, little-endian, of the header's bytes; the header, a JSON object
from a tensor's name to ``dtype``, ``shape`` and ``data_offsets``; the tensors, which fill the rest without gap or overlap. No memory is
taken by a number found in the file: the header is read once it is known to be short and to lie in the file, the tensors are never read.
"""

from __future__ import annotations

import math
from pathlib import Path
from reprlib import repr as short
from typing import Any, TypeGuard

from .errors import UserError
from .files import parse_json, shown

LONGEST = 4 << 20  # bytes: a network of 256 layers has a header of half a megabyte
_BYTES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}
_DIMENSIONS = 8  # numpy's own limit is 64, a BERT has two at most


def shapes(path: Path, remedy: str) -> dict[str, tuple[int, ...]]:
    """The shapes of a file's tensors, by name. Raises UserError, which ends with the remedy, for a file that is not sound."""
    where = f"{shown(path)}: cannot be loaded"
    size = path.stat().st_size
    with path.open("rb") as file:
        if (head := file.read(8)) == b"version ":
            raise UserError(f"{where}: a pointer of Git LFS in place of the file; run `git lfs pull`")
        length = int.from_bytes(head, "little")
        if len(head) < 8 or length > size - 8:
            raise UserError(f"{where}: its header claims to be longer than the file; {remedy}")
        if length > LONGEST:
            raise UserError(f"{where}: its header claims to be over {LONGEST} bytes long; {remedy}")
        data = file.read(length)
    try:
        header = parse_json(data.decode(), f"{where}: its header", remedy)
    except UnicodeDecodeError:
        raise UserError(f"{where}: its header is not UTF-8; {remedy}") from None
    header.pop("__metadata__", None)
    try:
        _check_cover([_extent(name, fields) for name, fields in header.items()], size - 8 - length)
    except ValueError as error:
        raise UserError(f"{where}: {error}; {remedy}") from None
    return {name: tuple(fields["shape"]) for name, fields in header.items()}


def _extent(name: str, fields: Any) -> tuple[int, int]:
    """Where a tensor begins and ends. Raises ValueError for what is no tensor of floating-point numbers, or whose bytes deny its shape."""
    if not isinstance(fields, dict):
        raise ValueError(f"{short(name)} is no tensor")
    kind, shape, place = fields.get("dtype"), fields.get("shape"), fields.get("data_offsets")
    if not (isinstance(kind, str) and kind in _BYTES):
        raise ValueError(f"{short(name)} holds {short(kind)}, not floating-point numbers")
    if not _are_sizes(shape) or len(shape) > _DIMENSIONS or not _are_sizes(place) or len(place) != 2:
        raise ValueError(f"{short(name)} has no shape or no place")
    if place[1] - place[0] != math.prod(shape) * _BYTES[kind]:
        raise ValueError(f"{short(name)} is {short(shape)} by its shape and {short(place)} by its bytes")
    return place[0], place[1]


def _are_sizes(values: Any) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 63 for value in values)


def _check_cover(extents: list[tuple[int, int]], size: int) -> None:
    """Raise ValueError unless extents fill so many bytes without gap or overlap."""
    reached = 0
    for start, end in sorted(extents):
        if start != reached:
            raise ValueError("its tensors overlap or leave a gap")
        reached = end
    if reached != size:
        raise ValueError(f"its tensors end at byte {short(reached)} of {size}")
