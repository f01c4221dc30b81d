"""``python -m annotate.fetch``: public text from where it is published, as the JSONL of articles that ``annotate`` reads.

A source's files are named by commit, size and, where it is known, hash. pooch downloads each of them once, into its cache; an article's id
is its source's name with its number there, so that a recipe can leave it out by id.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models import files
from models.errors import ArgumentParser, UserError, command

_OUTPUT = "news.jsonl"
_SHORTEST = 200  # characters; a shorter news item is a result or a caption
_GROUP = 20  # sentences that make an article where a corpus has sentences alone


@dataclass(frozen=True)
class File:
    """A file to download; ``sha256`` is None where nobody has noted it yet."""

    url: str
    bytes: int
    sha256: str | None


@dataclass(frozen=True)
class Source:
    """A corpus: the ``files`` that together are read as ``format``, one of ``FORMATS``, and the ``licence`` that its articles state."""

    name: str
    format: str
    licence: str
    files: tuple[File, ...]


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Fetch sources; see ``--help``. Returns 0, or 2 after a mistake of the user's or the network's, with one line on standard error."""
    parser = ArgumentParser(prog="python -m annotate.fetch", description=f"Fetch public text and write it as articles, TO/{_OUTPUT}.")
    parser.add_argument("--config", default="configs/corpora.yaml", metavar="FILE", help="the sources (default: %(default)s)")
    parser.add_argument("--to", default="corpora", metavar="FOLDER", help="where the articles go (default: %(default)s)")
    parser.add_argument("--cache", metavar="FOLDER", help="where the downloaded files stay (default: gozareh in the user's cache)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="the sources to write, in place of all")
    arguments = parser.parse_args(argv)
    sources = _chosen(load_sources(arguments.config), arguments.names, arguments.config)
    pooch = _pooch()
    cache = Path(arguments.cache or pooch.os_cache("gozareh"))

    output, total = Path(arguments.to) / _OUTPUT, 0
    with files.write_whole(output) as target:
        for source in sources:
            records = articles(source, [download(file, cache) for file in source.files])
            target.writelines(files.to_json(record) + "\n" for record in records)
            print(f"{source.name}: {len(records)} articles; {source.licence}", file=sys.stderr)
            total += len(records)
    print(f"{output}: {total} articles of {len(sources)} sources", file=sys.stderr)
    unknown = [file for source in sources for file in source.files if file.sha256 is None]
    if unknown:
        print(f"{arguments.config}: the size alone of these files was checked; with these lines in it their hash is, too", file=sys.stderr)
    for file in unknown:
        digest = hashlib.sha256(_cached(file, cache).read_bytes()).hexdigest()
        print(f"    - url: {file.url}\n      bytes: {file.bytes}\n      sha256: {digest}", file=sys.stderr)
    return 0


def load_sources(path: str | Path) -> list[Source]:
    """The sources of a YAML file, in its order. Raises UserError for a file that is missing or not YAML and for a faulty entry."""
    try:
        entries = yaml.safe_load(files.read_text(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise UserError(f"{where}: not valid YAML: {getattr(error, 'problem', None) or 'mend it'}") from None
    if not isinstance(entries, dict) or not entries:
        raise UserError(f"{path}: expected a mapping of sources; see configs/corpora.yaml")
    return [_source(str(name), entry, f"{path}, source '{name}'") for name, entry in entries.items()]


def _source(name: str, entry: Any, where: str) -> Source:
    entry = _checked(entry, {"format": str, "licence": str, "files": list}, where)
    if entry["format"] not in FORMATS:
        raise UserError(f"{where}, field 'format': unknown format '{entry['format']}'; known are {', '.join(FORMATS)}")
    kinds = typing.get_type_hints(File)
    parts = [File(**_checked(file, kinds, f"{where}, file {number}")) for number, file in enumerate(entry["files"], 1)]
    return Source(name, entry["format"], entry["licence"], tuple(parts))


def _checked(entry: Any, kinds: dict[str, Any], where: str) -> dict[str, Any]:
    if not isinstance(entry, dict) or set(entry) != set(kinds):
        raise UserError(f"{where}: expected the fields {', '.join(kinds)}")
    for key, kind in kinds.items():
        if not isinstance(entry[key], kind):
            raise UserError(f"{where}, field '{key}': {entry[key]!r} is no {getattr(kind, '__name__', kind)}")
    return entry


def _chosen(sources: Sequence[Source], names: Sequence[str], config: str) -> list[Source]:
    known = [source.name for source in sources]
    for name in names:
        if name not in known:
            raise UserError(f"{config}: no source '{name}'; known are {', '.join(known)}")
    return [source for source in sources if not names or source.name in names]


def download(file: File, cache: Path) -> str:
    """A file's text, from the cache if it is there as it should be, else from the network into the cache.

    Raises UserError if it cannot be fetched, or if its size or hash is not the one stated; the cache then does not hold it.
    """
    pooch = _pooch()
    path = _cached(file, cache)
    if path.is_file() and path.stat().st_size != file.bytes:
        path.unlink()
    if not path.is_file():
        print(f"{file.url}: {file.bytes:,} bytes", file=sys.stderr)
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=2**16)
    try:
        pooch.retrieve(file.url, file.sha256 and f"sha256:{file.sha256}", path.name, cache, downloader=downloader)
    except OSError as error:  # those of requests as well
        raise UserError(f"{file.url}: cannot be fetched: {str(error).partition(chr(10))[0]}") from None
    except ValueError:
        raise UserError(f"{file.url}: its sha256 is not {file.sha256}; fetch again, or find out who changed it") from None
    size = path.stat().st_size
    if size != file.bytes:
        path.unlink()
        raise UserError(f"{file.url}: {size} bytes in place of {file.bytes}; fetch again, or find out who changed it")
    return files.decode(path.read_bytes(), file.url)


def _cached(file: File, cache: Path) -> Path:
    """Where a file stays: another commit's is another file."""
    return cache / f"{hashlib.sha256(file.url.encode()).hexdigest()[:16]}-{file.url.rpartition('/')[2]}"


def _pooch() -> Any:
    try:
        import pooch  # noqa: PLC0415  # an optional extra
    except ImportError:
        raise UserError("fetching text needs pooch; pip install 'gozareh[corpora]'") from None
    pooch.utils.get_logger().setLevel("ERROR")  # it would announce each file in three lines
    return pooch


def articles(source: Source, texts: Sequence[str]) -> list[dict[str, str]]:
    """The JSONL records of a source, given the texts of its files. Raises UserError if they are not in the source's format."""
    origin = " ".join(file.url for file in source.files)
    try:
        return [
            {"id": f"{source.name}:{number}", "text": text, "source": origin, "licence": source.licence}
            for number, text in FORMATS[source.format](texts)
        ]
    except (ValueError, TypeError, LookupError, csv.Error) as error:
        raise UserError(f"source '{source.name}': not in the format '{source.format}' ({error!r}); name the format that it is in") from None


# The formats. Each takes the texts of a source's files and gives the articles with their numbers.


def _paragraphs(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """A JSON list of ``{"paragraphs": […]}``; the number is the place in the list, whatever is left out."""
    for number, item in enumerate(json.loads("".join(texts))):
        text = _tidy(item["paragraphs"])
        if len(text) >= _SHORTEST:
            yield number, text


def _squad(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """SQuAD's JSON: the passages of an article, without the questions."""
    for number, article in enumerate(json.loads("".join(texts))["data"]):
        yield number, _tidy(paragraph["context"] for paragraph in article["paragraphs"])


def _documents(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """A file of lines and a file of as many ids: the lines in a row that have one id are a document."""
    lines, ids = (text.rstrip().split("\n") for text in texts)
    groups = itertools.groupby(zip(ids, lines, strict=True), key=lambda pair: pair[0].strip())
    for number, (_, group) in enumerate(groups):
        yield number, _tidy(line for _, line in group)


def _sentences(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """A sentence a line."""
    return _groups(line for text in texts for line in text.split("\n"))


def _conllu(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """CoNLL-U: the sentences that its comments give whole."""
    comment = "# text = "
    return _groups(line.removeprefix(comment) for text in texts for line in text.split("\n") if line.startswith(comment))


def _premises(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Tab-separated rows under a header: the column ``premise``."""
    return _groups(row["premise"] for text in texts for row in csv.DictReader(io.StringIO(text, newline=""), delimiter="\t"))


def _groups(sentences: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Sentences that belong to no article, each once, ``_GROUP`` to one."""
    distinct = list(dict.fromkeys(stripped for sentence in sentences if (stripped := sentence.strip())))
    for number, start in enumerate(range(0, len(distinct), _GROUP)):
        yield number, "\n".join(distinct[start : start + _GROUP])


def _tidy(paragraphs: Iterable[str]) -> str:
    """Paragraphs a line each, without the spaces around them and the lines that are empty."""
    return "\n".join(stripped for line in "\n".join(paragraphs).split("\n") if (stripped := line.strip()))


FORMATS: dict[str, Callable[[Sequence[str]], Iterator[tuple[int, str]]]] = {
    "paragraphs": _paragraphs,
    "squad": _squad,
    "documents": _documents,
    "sentences": _sentences,
    "conllu": _conllu,
    "premises": _premises,
}


if __name__ == "__main__":
    sys.exit(main())
