"""Files in and out: UTF-8 text and JSON lines that name the faulty line, outputs that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import reprlib
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from .errors import UserError, first_line

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # full, a quota, a limit on one file, failing
_ROOM = "make room and run the command again"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_text(path: str | Path) -> str:
    """A UTF-8 file's text, newlines as they are. Raises UserError for a missing file, a folder or invalid UTF-8."""
    return decode(read_bytes(path), str(path))


def read_bytes(path: str | Path) -> bytes:
    """A file's bytes. Raises UserError for a missing or unreadable file or a folder."""
    try:
        return Path(path).read_bytes()
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder; name the files in it") from None
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def decode(data: bytes, name: str) -> str:
    """UTF-8 bytes as text, a byte order mark removed. Raises UserError with the line of the first invalid byte."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{name}, line {line}: not valid UTF-8 (byte {data[error.start]:#04x}); save the file as UTF-8") from None


def read_json(path: str | Path, remedy: str) -> dict[str, Any]:
    """A file's JSON object. Raises UserError, which ends with the remedy, if the file holds anything else."""
    return parse_json(read_text(path), str(path), remedy)


def parse_json(text: str, name: str, remedy: str) -> dict[str, Any]:
    """A text's JSON object. Raises UserError, which begins with the name and ends with the remedy, if it is anything else."""
    try:
        record = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise UserError(f"{name}, line {error.lineno}: not valid JSON ({error.msg}); {remedy}") from None
    except (ValueError, RecursionError) as error:  # a field twice; a number of thousands of digits; brackets in brackets without end
        raise UserError(f"{name}: not readable JSON ({error}); {remedy}") from None
    if not isinstance(record, dict):
        raise UserError(f"{name}: a JSON {type(record).__name__}, not an object; {remedy}")
    return record


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; two readers may take different ones of a field that stands there twice."""
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError(f"a field stands in an object twice, among {reprlib.repr([key for key, _ in pairs])}")
    return record


def parse_jsonl(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of each non-empty line. Raises UserError with the line that is not a JSON object."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, parse_object(line, f"{name}, line {number}")


def parse_object(line: str, where: str) -> dict[str, Any]:
    """A line's JSON object. Raises UserError, which begins with ``where``, for anything else."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not valid JSON ({error.msg}, column {error.colno}); one object a line") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; brackets in brackets without end
        raise UserError(f"{where}: not readable JSON ({error}); one object a line") from None
    if not isinstance(record, dict):
        raise UserError(f"{where}: a JSON {type(record).__name__}, not an object; one object a line")
    if _SURROGATE.search(line) and not _is_unicode(record):
        raise UserError(f"{where}: half a surrogate pair (\\ud800 … \\udfff) is no text; decode the text again")
    return record


def _is_unicode(record: Any) -> bool:
    try:
        to_json(record).encode()
    except UnicodeEncodeError:
        return False
    return True


def field(record: dict[str, Any], key: str, kind: type, where: str) -> Any:
    """``record[key]``, checked. Raises UserError if the field is missing or of another type; ``where`` says file and line."""
    if key not in record:
        raise UserError(f"{where}: no field '{key}'; each line needs one")
    if not isinstance(record[key], kind):
        raise UserError(f"{where}, field '{key}': {type(record[key]).__name__} in place of {kind.__name__}; mend the field")
    return record[key]


def shown(path: str | Path) -> str:
    """A path in one line without control characters: a name in a folder that came from elsewhere may hold any."""
    name = str(path)
    return name if name.replace("\u200c", "").isprintable() else ascii(name)  # a ZWNJ does no harm, and Persian names have it


def check_apart(output: str | Path, inputs: Iterable[str | Path]) -> None:
    """Raise UserError for an output that would take the place of an input."""
    with access(output, "written"):
        target = Path(output).resolve()
    for path in inputs:
        with access(path, "read"):
            source = Path(path).resolve()
        if source == target:
            raise UserError(f"{output}: is the input {path} itself; name another file")


@contextlib.contextmanager
def write_whole(path: str | Path) -> Iterator[IO[str]]:
    """As ``write_whole_bytes``, for UTF-8 text."""
    with write_whole_bytes(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        yield text
        text.detach()  # which writes what it still held


@contextlib.contextmanager
def write_whole_bytes(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces ``path`` only when the block ends without an exception.

    A link's target is replaced, not the link, and an older file's mode is kept. A pipe or device is written to as it is, and so is, at its
    end, a file that is open already (/dev/stdout). Raises UserError if the folder cannot be made or written, if ``path`` is a folder, or
    if the disk is full.
    """
    path = Path(path)
    with access(path, "written"):
        if path.is_dir():
            raise UserError(f"{path}: is a folder; name a file to write")
        if path.exists() and (_is_open(path) or not path.is_file()):  # asked before its links are followed: a pipe's leads to no path
            device = path.open("ab")
        else:
            device = None
            path = path.resolve()
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    if device:
        with room_for(path), device:
            yield device
        return
    try:
        with room_for(path), os.fdopen(handle, "wb") as file:
            yield file
        Path(name).chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


def _is_open(path: Path) -> bool:
    """Whether a path means what a process has open: /dev/stdout, which is a link into /proc, or /dev/fd/3."""
    folder = path.parent.resolve()
    return folder in (Path("/dev"), Path("/dev/fd")) or folder.is_relative_to("/proc")


@contextlib.contextmanager
def write_folder(folder: Path, check_place: Callable[[Path], None]) -> Iterator[Path]:
    """A new folder beside ``folder``, to be filled, which takes its place only when the block ends without an exception.

    ``check_place(folder)`` raises for what must not be replaced. An exception leaves an older folder as it was; a kill between the last two
    renames leaves it as ``.NAME.old``, which the next call puts back first. Raises UserError where the folder around it cannot be written.
    """
    old = folder.with_name(f".{folder.name}.old")
    with access(folder, "written"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
        check_place(folder)
        scratch = tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.")
    with scratch:
        new = Path(scratch.name) / folder.name
        new.mkdir()
        yield new
        if not folder.exists():
            new.rename(folder)
            return
        folder.rename(old)
        try:
            new.rename(folder)
        except BaseException:
            old.rename(folder)
            raise
        shutil.rmtree(old)


@contextlib.contextmanager
def access(path: str | Path, deed: str) -> Iterator[None]:
    """Turn what the system has against a path that is to be ``deed``, read or written, into a UserError."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # RuntimeError: of Path.resolve, before Python 3.13, for links in a circle
        reason = getattr(error, "strerror", None) or first_line(error)
        remedy = _ROOM if getattr(error, "errno", None) in _DISK else "check the path"
        raise UserError(f"{shown(path)[:300]}: cannot be {deed}: {reason}; {remedy}") from None


@contextlib.contextmanager
def room_for(what: str | Path) -> Iterator[None]:
    """Turn a full or failing disk into a UserError."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise UserError(f"{what}: cannot be written: {error.strerror}; {_ROOM}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_JSON = json.JSONEncoder(ensure_ascii=False)  # json.dumps would make one each time


def to_json(record: Any) -> str:
    """One line of JSON, Persian letters as they are."""
    return _JSON.encode(record)
