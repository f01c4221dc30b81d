"""What the benchmarks' command lines share, so that a mistake is told before anything is measured."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from models.errors import UserError
from models.files import access


def at_least(least: int) -> Callable[[str], int]:
    """The type of an option that is a whole number, ``least`` or more."""

    def number(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least}")
        return int(text)

    return number


def check_output(path: Path) -> None:
    """Make the folder of a file that is written in the end. Raises UserError where the file could not be."""
    with access(path, "written"):
        if path.is_dir():
            raise UserError(f"{path}: is a folder; name a file to write")
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
