"""``predict [TEXT …]``: read Persian news from arguments, files or standard input; write a table, JSON lines, CSV or an HTML page.

Exit codes: 0 done, 2 usage or bad input (one line on standard error says what to do), 1 a fault of ours.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ArgumentParser, UserError, at_least, command
from .files import access, room_for, write_whole_bytes
from .predictor import PUBLISHED, load
from .records import Prediction
from .render import FORMATS, SUFFIXES, render, write
from .sources import open_sources

if TYPE_CHECKING:
    from .shards import Reader


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="predict",
        description="Read Persian news: persons, roles, numbers, programmes, and what kind of claim each sentence makes.",
        epilog="A .txt file is one document; a .jsonl or .jsonl.gz file has one a line, a .parquet file one a row: text, and perhaps id. "
        "Without TEXT and --input, one document is read from standard input. With --output FOLDER/ what is written is cut into shards, "
        "records that cannot be read are passed over, and the same command goes on where it was interrupted.",
    )
    add = parser.add_argument
    add("texts", nargs="*", metavar="TEXT", help="a document")
    add(
        "--input",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="PATH",
        help=".txt, .jsonl, .jsonl.gz, .parquet; folders of these",
    )
    add("--output", metavar="FILE|FOLDER/", help="a file is written whole or not at all, a folder in shards; standard output by default")
    add(
        "--model",
        default=str(PUBLISHED),
        metavar="DIR|HUB",
        help="a folder, a hub name, or the bare name of a released model; compact by default",
    )
    add("--format", choices=FORMATS, help="by default: the output's suffix, jsonl for a folder, a table at a terminal, jsonl down a pipe")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto takes a GPU if there is one")
    add("--engine", choices=("auto", "torch", "onnx"), default="auto", help="onnx: the folder's ONNX graph")
    add("--quiet", action="store_true", help="no progress on standard error")
    long = parser.add_argument_group("with --output FOLDER/")
    long.add_argument("--strict", action="store_true", help="stop at the first record that cannot be read")
    long.add_argument("--shard-size", type=at_least(1), metavar="N", help="records of a shard, 5000 by default")
    long.add_argument("--workers", type=at_least(1), metavar="N", help="processes, or actors of Ray, with a model each; 1 by default")
    long.add_argument(
        "--ray", nargs="?", const="local", metavar="ADDRESS", help="run on Ray: one started here, or HOST:PORT, auto, ray://…"
    )
    long.add_argument("--worker-cpus", type=_share, metavar="N", help="what an actor of Ray asks for, 1 by default; may be a fraction")
    return parser


def _share(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number over 0")
    return number


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Unless the output is a folder, nothing is written before all input has been found to be readable."""
    try:
        options = _parser().parse_args(argv)
    except SystemExit:  # --help
        return 0
    _quieten()
    if options.output and _is_folder(options.output):
        _long_run(options)
    else:
        _at_once(options)
    return 0


def _is_folder(output: str) -> bool:
    with access(output, "written"):
        return output.endswith(os.sep) or Path(output).is_dir()


def _quieten() -> None:
    """No progress bars or reports of transformers' own in the middle of ours, nor in workers'."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if logging := sys.modules.get("transformers.utils.logging"):  # it has read the environment before
        logging.set_verbosity_error()
        logging.disable_progress_bar()


# --- into a folder ---


def _long_run(options: Namespace) -> None:
    from .archive import FORMATS as CUT  # noqa: PLC0415 - what no other use of the command needs to wait for
    from .archive import SIZE, run  # noqa: PLC0415
    from .engines import resolve  # noqa: PLC0415
    from .shards import Job  # noqa: PLC0415

    format = options.format or "jsonl"
    if format not in CUT:
        raise UserError(f"{options.output}: is a folder, and --format {format} cannot be cut; use {', '.join(CUT)}, or name a file")
    sources = open_sources(options.texts, options.input)
    job = Job(*resolve(options.model, options.device, options.engine), format)
    run(
        sources,
        Path(options.output),
        job,
        _reader(options),
        size=options.shard_size or SIZE,
        strict=options.strict,
        quiet=options.quiet,
    )


def _reader(options: Namespace) -> Reader:
    """By what the shards are read."""
    from .shards import read_here, read_in_processes  # noqa: PLC0415 - see _long_run

    workers = options.workers or 1
    if options.ray:
        from .cluster import read_by_ray  # noqa: PLC0415

        return partial(read_by_ray, address=options.ray, workers=workers, cpus=options.worker_cpus or 1)
    if options.worker_cpus is not None:
        raise UserError("--worker-cpus is for --ray alone; leave it out")
    return partial(read_in_processes, workers=workers) if workers > 1 else read_here


# --- into a file, or standard output ---


def _at_once(options: Namespace) -> None:
    for name in ("strict", "shard_size", "workers", "ray", "worker_cpus"):
        if getattr(options, name):
            raise UserError(f"--{name.replace('_', '-')} is for a long run; name a folder: --output FOLDER/")
    output = Path(options.output) if options.output else None
    format = options.format or _default_format(output)
    if format == "parquet" and output is None:
        raise UserError("--format parquet is no text; name a file: --output FILE.parquet")
    sources = open_sources(options.texts, options.input)
    if output:
        sources.check_apart(output)
    size = sum(len(article.text) for article in sources.articles())
    talks = not options.quiet and sys.stderr.isatty()
    if talks:
        print(f"loading {options.model}", file=sys.stderr)
    predictions = load(options.model, options.device, options.engine).predict(sources.articles())
    if talks and (output or not sys.stdout.isatty()):
        predictions = _with_progress(predictions, size)
    if output:
        with write_whole_bytes(output) as file:
            write(predictions, format, file)
    else:
        _print(predictions, format)


def _default_format(output: Path | None) -> str:
    if output is None:
        return "table" if sys.stdout.isatty() else "jsonl"
    if output.suffix.lower() not in SUFFIXES:
        raise UserError(f"{output}: no format goes with the suffix '{output.suffix}'; use {', '.join(SUFFIXES)}, or --format")
    return SUFFIXES[output.suffix.lower()]


def _with_progress(predictions: Iterable[Prediction], size: int) -> Iterator[Prediction]:
    from tqdm import tqdm  # type: ignore[import-untyped] # noqa: PLC0415 - comes with transformers; imported when needed

    with tqdm(total=size, unit=" characters", unit_scale=True, delay=1, leave=False) as bar:
        for prediction in predictions:
            yield prediction
            bar.update(len(prediction.text))


def _print(predictions: Iterable[Prediction], format: str) -> None:
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")  # whatever the locale says: the text is Persian
    with room_for("standard output"):
        for piece in render(predictions, format, colour=colour):
            sys.stdout.write(piece)
            sys.stdout.flush()  # each document as soon as it is read, and a reader that has gone is noticed here


if __name__ == "__main__":
    sys.exit(main(None))
