"""What the benchmarks' command lines share, so that a mistake is told before anything is measured."""

from __future__ import annotations

import tempfile
from pathlib import Path

from models.errors import UserError
from models.files import access


def check_output(path: Path) -> None:
    """Make the folder of a file that is written in the end. Raises UserError where the file could not be."""
    with access(path, "written"):
        if path.is_dir():
            raise UserError(f"{path}: is a folder; name a file to write")
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
