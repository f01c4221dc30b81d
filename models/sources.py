"""Where documents come from: texts, standard input, .txt, .jsonl, .jsonl.gz and .parquet files, and folders of them.

Files are read as streams, one document in memory at a time, in an order that is the same each time. A document comes as a ``Record``, not
parsed yet, so that a long run can pass over those it has done, and what cannot be read is a record too: ``Record.article`` raises it.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .errors import UserError
from .files import access, decode, field, parse_object, shown
from .predictor import LONGEST, as_article, split
from .records import Article

LARGEST = 64 << 20  # bytes of a document: more than that are an archive in a single string
_ROWS = 256  # of a Parquet file, decoded at once


@dataclass(frozen=True, slots=True)
class Record:
    """A document as it lies in its source. ``data`` is a text, or a line of JSON, in UTF-8, or why it could not be read.

    ``id`` is the document's unless the line of JSON names another. ``number`` counts lines or rows from 1 and is 0 for a whole file.
    ``position`` is how many bytes of its file, as it is on the disk, had been read with it.
    """

    source: str
    id: str
    data: bytes | UserError
    number: int = 0
    unit: str = "line"
    json: bool = False
    position: int = 0

    @property
    def where(self) -> str:
        """For messages: ``news.jsonl, line 3``."""
        return f"{shown(self.source)}, {self.unit} {self.number}" if self.number else shown(self.source)

    def article(self) -> Article:
        """The document. Raises UserError, one line with file, line and field, for what is none that can be read."""
        if isinstance(self.data, UserError):
            raise self.data
        if not self.json:
            return _whole(decode(self.data, self.where), self.id, self.where)
        record = parse_object(_line(self.data, self.where), self.where)
        id = record.get("id", self.id)
        if isinstance(id, bool) or not isinstance(id, str | int):
            raise UserError(f"{self.where}, field 'id': {type(id).__name__} in place of a string; mend or leave out the field")
        return _whole(field(record, "text", str, self.where), str(id), self.where)


def _line(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig").rstrip("\r\n")  # else a message would speak of the line after
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: not valid UTF-8 (byte {data[error.start]:#04x}); save the file as UTF-8") from None


def _whole(text: str, id: str, where: str) -> Article:
    """A document, once it is known that all of it can be read. Raises UserError that says where it stands."""
    try:
        article = as_article(text, id)
        if len(text) > LONGEST:
            split(article)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return article


@dataclass(frozen=True, slots=True)
class Sources:
    """Documents that were given, then files and folders. Made by ``open_sources``; can be read more than once."""

    given: tuple[Record, ...]
    paths: tuple[Path, ...]

    def records(self) -> Iterator[Record]:
        """All documents, in order: what was given, then each file; a folder's by name, its own before those of the folders in it."""
        yield from self.given
        for path, name in self._files():
            yield from _read(path, name)

    def articles(self) -> Iterator[Article]:
        """The same, parsed. Raises UserError at the first that cannot be read."""
        return (record.article() for record in self.records())

    def size(self) -> int:
        """Bytes of all files as they are on the disk, and of what was given; for progress alone, so that what cannot be read has none."""
        size = sum(len(record.data) for record in self.given if isinstance(record.data, bytes))
        for path, _ in self._files():
            with contextlib.suppress(OSError):
                size += path.stat().st_size
        return size

    def check_apart(self, output: Path, *, folder: bool = False) -> None:
        """Raise UserError for an output, a file or a folder, that is an input, or lies in one and would be read itself."""
        for path in self.paths:
            with access(output, "written"):
                target, source = output.resolve(), path.resolve()
            if target == source:
                raise UserError(f"{output}: is the input {path} itself; name another place")
            if target.is_relative_to(source) and (folder or _suffix(target.name)):
                raise UserError(f"{output}: lies in the input {path} and would be read itself; name a place outside")

    def _files(self) -> Iterator[tuple[Path, str]]:
        for path, name in zip(self.paths, _names(self.paths), strict=True):
            with access(path, "read"):
                folder = path.is_dir()
            yield from _walk(path) if folder else [(path, name)]


def _names(paths: Iterable[Path]) -> list[str]:
    """What each is called in ids: its name or, where several have the same, its path in the nearest folder that they are all in."""
    whole = [Path(os.path.normpath(path.absolute())) for path in paths]
    parents: dict[str, set[Path]] = {}
    for path in whole:
        parents.setdefault(path.name, set()).add(path.parent)
    return [path.relative_to(os.path.commonpath(parents[path.name])).as_posix() for path in whole]


def open_sources(texts: Sequence[str], paths: Iterable[Path]) -> Sources:
    """Texts and files; standard input, read here, if there is neither.

    Raises UserError for a file that is not there or of a kind that is not read, for a pipe, for a folder without any file that is, and for
    empty standard input.
    """
    paths = tuple(paths)
    for path in paths:
        _check(path)
    if not texts and not paths:
        return Sources((_standard_input(),), ())
    return Sources(tuple(_given(text, number) for number, text in enumerate(texts, 1)), paths)


def _check(path: Path) -> None:
    with access(path, "read"):
        if path.is_dir():
            if next(_walk(path), None) is None:
                raise UserError(f"{shown(path)}: no file in this folder is read; it needs {_KINDS}")
        elif not path.exists():
            raise UserError(f"{shown(path)}: no such file; check the path")
        else:
            _check_regular(path)
            if _suffix(path.name) is None:
                raise UserError(f"{shown(path)}: files with the suffix {path.suffix!r} are not read; give {_KINDS}")


def _check_regular(path: Path) -> None:
    """Raise UserError for a pipe, which would be waited for and cannot be read twice, or its like."""
    if path.exists() and not path.is_file():
        raise UserError(f"{shown(path)}: a pipe or a device, and documents are read from files; write it into one")


def _given(text: str, number: int) -> Record:
    source = f"text {number}"
    try:
        data: bytes | UserError = text.encode()
    except UnicodeEncodeError:  # how Python hands on an argument that is not UTF-8
        data = UserError(f"{source}: not valid UTF-8; write it into a file, saved as UTF-8")
    return Record(source, str(number), data)


def _standard_input() -> Record:
    if sys.stdin.isatty():
        print("reading a document from the terminal; end it with Ctrl-D", file=sys.stderr)
    data = sys.stdin.buffer.read()
    if not decode(data, "standard input").strip():
        raise UserError("standard input: holds no text; pipe a document in, or name texts or --input files")
    return Record("standard input", "stdin", data)


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    """A folder's files that can be read, with their names inside it; what is hidden and links to folders are passed over."""
    for parent, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and _suffix(name):
                path = Path(parent, name)
                yield path, path.relative_to(folder).as_posix()


def _unreadable(error: OSError) -> None:
    raise UserError(f"{shown(error.filename)}: cannot be read: {error.strerror}")


def _suffix(name: str) -> str | None:
    return next((suffix for suffix in _READERS if name.lower().endswith(suffix)), None)


def _read(path: Path, name: str) -> Iterator[Record]:
    """The records of one file; what keeps it from being read to its end is the last of them."""
    suffix = _suffix(name) or ""
    # a name need not be UTF-8, an id must
    stem = os.fsencode(name[: -len(suffix)]).decode(errors="replace")
    last = Record(str(path), stem, b"")
    try:
        _check_regular(path)
        for last in _READERS[suffix](path, stem):
            yield last
    except (OSError, EOFError, zlib.error, UserError) as error:
        yield Record(str(path), stem, _reason(error, path, last), last.number, last.unit)
    else:
        if not last.number and not last.data:
            yield Record(str(path), stem, UserError(f"{shown(path)}: holds no text; check the file"))


def _reason(error: Exception, path: Path, last: Record) -> UserError:
    """Why a file could not be read to its end."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, FileNotFoundError):
        return UserError(f"{shown(path)}: no such file; check the path")
    if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
        return UserError(f"{shown(path)}, after line {last.number}: damaged or cut short ({error}); fetch or compress the file again")
    return UserError(f"{shown(path)}: cannot be read: {getattr(error, 'strerror', None) or error}")


def _text(path: Path, stem: str) -> Iterator[Record]:
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UserError(f"{shown(path)}: a document of over {LARGEST >> 20} MB; split it, or give .jsonl with a document a line")
    if data.decode("utf-8-sig", "replace").strip():
        yield Record(str(path), stem, data, position=len(data))


def _plain_lines(path: Path, stem: str) -> Iterator[Record]:
    with path.open("rb") as file:
        yield from _lines(file, file, path, stem)


def _packed_lines(path: Path, stem: str) -> Iterator[Record]:
    with path.open("rb") as packed, gzip.open(packed) as file:
        yield from _lines(file, packed, path, stem)


def _lines(file: IO[bytes] | gzip.GzipFile, disk: IO[bytes], path: Path, stem: str) -> Iterator[Record]:
    """A record for each line that is not blank; one that is too long to be a document is not kept, but an error in its place."""
    number = 0
    while line := file.readline(LARGEST + 1):
        number += 1
        data: bytes | UserError = line
        if len(line) > LARGEST:
            data = UserError(f"{shown(path)}, line {number}: over {LARGEST >> 20} MB; give .jsonl with a document a line")
            while line and not line.endswith(b"\n"):
                line = file.readline(LARGEST)  # the rest of the same line
        if line.strip() or isinstance(data, UserError):
            yield Record(str(path), f"{stem}-{number}", data, number, json=True, position=disk.tell())


def _rows(path: Path, stem: str) -> Iterator[Record]:
    """A record a row: the column ``text``, and ``id`` where there is one."""
    import pyarrow as pa  # noqa: PLC0415 - a second, which no other file needs to wait for
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:  # so that no row group need be whole in memory
            columns = _columns(file.schema_arrow, path)
            size, rows, number = path.stat().st_size, file.metadata.num_rows, 0
            for batch in file.iter_batches(_ROWS, columns=columns):
                texts = batch.column("text").cast(pa.large_string()).cast(pa.large_binary()).to_pylist()
                ids = batch.column("id").to_pylist() if "id" in columns else [None] * len(texts)
                for text, id in zip(texts, ids, strict=True):
                    number += 1
                    name = f"{stem}-{number}" if id is None else str(id)
                    data = _checked(text, f"{shown(path)}, row {number}, field 'text'")
                    yield Record(str(path), name, data, number, "row", position=size * number // rows)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{shown(path)}: not a Parquet file that can be read ({reason}); write or fetch the file again") from None


def _checked(text: bytes | None, where: str) -> bytes | UserError:
    """A row's text, or why it is none."""
    if text is None:
        return UserError(f"{where}: null in place of a string; fill it or leave the row out")
    if len(text) > LARGEST:
        return UserError(f"{where}: over {LARGEST >> 20} MB; cut it into several rows")
    return text


def _columns(schema: Any, path: Path) -> list[str]:
    """The columns to read.

    Raises UserError where there is no ``text`` of strings, an ``id`` of anything but strings or integers, or one of them twice.
    """
    import pyarrow as pa  # noqa: PLC0415 - see _rows

    if "text" not in schema.names:
        raise UserError(f"{shown(path)}: no column 'text'; it has {', '.join(schema.names) or 'none'}: name the texts' column so")
    for name, kinds in (("text", ("string",)), ("id", ("string", "int", "uint"))):
        if schema.names.count(name) > 1:
            raise UserError(f"{shown(path)}: two columns '{name}'; keep one")
        if name in schema.names:
            kind = schema.field(name).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            if not str(kind).removeprefix("large_").startswith(kinds):
                raise UserError(f"{shown(path)}, column '{name}': {kind} in place of {kinds[0]}; mend the column")
    return [name for name in ("text", "id") if name in schema.names]


_READERS: dict[str, Callable[[Path, str], Iterator[Record]]] = {
    ".txt": _text,
    ".jsonl": _plain_lines,
    ".jsonl.gz": _packed_lines,
    ".parquet": _rows,
}
_KINDS = ".txt (a document), .jsonl or .jsonl.gz (a document a line) or .parquet (a document a row, column text)"
