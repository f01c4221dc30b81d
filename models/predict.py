"""``predict [TEXT …]``: read Persian news from arguments, files or standard input; write a table, JSON lines, CSV or an HTML page.

Exit codes: 0 done, 2 usage or bad input (one line on standard error says what to do), 1 a fault of ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from .errors import ArgumentParser, UserError, command
from .files import decode, field, parse_jsonl, read_text, write_whole
from .predictor import PUBLISHED, as_article, load, split
from .records import Article, Prediction
from .render import FORMATS, SUFFIXES, render

Source = Callable[[], Iterable[Article]]  # reads its documents anew each time, so that they need not all stay in memory


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="predict",
        description="Read Persian news: persons, roles, numbers, programmes, and what kind of claim each sentence makes.",
        epilog="A .txt file is one document; a .jsonl file has one a line: text, and perhaps id. "
        "Without TEXT and --input, one document is read from standard input.",
    )
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="a document")
    parser.add_argument("--input", nargs="+", action="extend", default=[], type=Path, metavar="FILE", help=".txt or .jsonl")
    parser.add_argument("--output", type=Path, metavar="FILE", help="written whole or not at all; standard output by default")
    parser.add_argument("--model", default=str(PUBLISHED), metavar="DIR|HUB", help="a folder or a hub name; the published model by default")
    parser.add_argument("--format", choices=FORMATS, help="by default: the output's suffix, a table at a terminal, jsonl down a pipe")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto takes a GPU if there is one")
    parser.add_argument("--engine", choices=("auto", "torch", "onnx"), default="auto", help="onnx: the folder's ONNX graph")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    return parser


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Nothing is written before all input has been found to be readable."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit:  # --help
        return 0
    format = options.format or _default_format(options.output)
    sources = _sources(options.texts, options.input)
    size = sum(len(article.text) for source in sources for article in source())
    if not options.quiet and sys.stderr.isatty():
        print(f"loading {options.model}", file=sys.stderr)
    _silence()
    predictor = load(options.model, options.device, options.engine)
    predictions = predictor.predict(article for source in sources for article in source())
    if not options.quiet and sys.stderr.isatty() and (options.output or not sys.stdout.isatty()):
        predictions = _with_progress(predictions, size)
    _write(predictions, options.output, format)
    return 0


def _default_format(output: Path | None) -> str:
    if output is None:
        return "table" if sys.stdout.isatty() else "jsonl"
    if output.suffix.lower() not in SUFFIXES:
        raise UserError(f"{output}: no format goes with the suffix '{output.suffix}'; use {', '.join(SUFFIXES)}, or --format")
    return SUFFIXES[output.suffix.lower()]


def _sources(texts: Sequence[str], paths: Sequence[Path]) -> list[Source]:
    """Where the documents come from: texts, then files; standard input if there is neither."""
    if not texts and not paths:
        document = _standard_input()
        return [lambda: [document]]
    given = [_whole(text, str(number), f"text {number}") for number, text in enumerate(texts, 1)]
    return [lambda: given, *(lambda path=path: read_file(path) for path in paths)]


def _standard_input() -> Article:
    if sys.stdin.isatty():
        print("reading a document from the terminal; end it with Ctrl-D", file=sys.stderr)
    text = decode(sys.stdin.buffer.read(), "standard input")
    if not text.strip():
        raise UserError("standard input: holds no text; pipe a document in, or name texts or --input files")
    return _whole(text, "stdin", "standard input")


def read_file(path: Path) -> Iterator[Article]:
    """The documents of a .txt file (one, named after the file) or of a .jsonl file (one a line: ``text``, and ``id`` or FILE-LINE).

    Raises UserError that names file, line and field for what cannot be read.
    """
    kind = path.suffix.lower()
    if kind not in (".txt", ".jsonl") and path.exists() and not path.is_dir():
        raise UserError(f"{path}: files with the suffix '{path.suffix}' are not read; give .txt (a document) or .jsonl (a document a line)")
    text = read_text(path)
    if not text.strip():
        raise UserError(f"{path}: holds no text; check the file")
    if kind == ".txt":
        yield _whole(text, path.stem, str(path))
        return
    for number, record in parse_jsonl(text, str(path)):
        where = f"{path}, line {number}"
        id = record.get("id", f"{path.stem}-{number}")
        if not isinstance(id, str | int):
            raise UserError(f"{where}, field 'id': {type(id).__name__} in place of a string; mend or leave out the field")
        yield _whole(field(record, "text", str, where), str(id), where)


def _whole(text: str, id: str, where: str) -> Article:
    """A document, once it is known that all of it can be read. Raises UserError that says where it stands."""
    try:
        article = as_article(text, id)
        split(article)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return article


def _silence() -> None:
    """No progress bars or reports of transformers' own in the middle of ours."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from transformers.utils import logging  # noqa: PLC0415 - it takes a second, which a usage error need not wait for

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _with_progress(predictions: Iterable[Prediction], size: int) -> Iterator[Prediction]:
    from tqdm import tqdm  # type: ignore[import-untyped] # noqa: PLC0415 - comes with transformers; imported when needed

    with tqdm(total=size, unit=" characters", unit_scale=True, delay=1, leave=False) as bar:
        for prediction in predictions:
            yield prediction
            bar.update(len(prediction.text))


def _write(predictions: Iterable[Prediction], output: Path | None, format: str) -> None:
    colour = output is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    if output is None and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")  # whatever the locale says: the text is Persian
    with write_whole(output) if output else nullcontext(sys.stdout) as out:
        for piece in render(predictions, format, colour=colour):
            out.write(piece)
            if output is None:
                out.flush()  # each document as soon as it is read, and a reader that has gone is noticed here


if __name__ == "__main__":
    sys.exit(main(None))
