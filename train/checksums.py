"""SHA256SUMS, the checksums of a published folder: ``sha256sum -c SHA256SUMS`` checks it, and so does ``verify``."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from models.errors import UserError
from models.files import read_text

NAME = "SHA256SUMS"
REMEDY = "publish the run again"
_LINE = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<path>.+)")


def contents(folder: Path) -> dict[str, Path]:
    """All files of a folder by their path in it, sorted; a link stands for the file that it leads to.

    Raises UserError for a link that leads out of the folder or to no file.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{path}: leads out of the folder or to no file; {REMEDY}")
        found[path.relative_to(folder).as_posix()] = path
    return dict(sorted(found.items()))


def digest(path: Path) -> str:
    """A file's SHA-256, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(folder: Path) -> None:
    """Write SHA256SUMS of all other files as they are now."""
    lines = [f"{digest(path)}  {name}\n" for name, path in contents(folder).items() if name != NAME]
    (folder / NAME).write_text("".join(lines), encoding="utf-8")


def verify(folder: Path) -> dict[str, str]:
    """The checksums of a folder's files, SHA256SUMS aside, by path.

    Raises UserError, which names the first, for files that are missing, changed, or not among the checksums, and where there are none.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; check the path")
    if not (folder / NAME).is_file():
        raise UserError(f"{folder}: holds no {NAME}; {REMEDY}")
    stated = _stated(folder / NAME)
    found = {name: digest(path) for name, path in contents(folder).items() if name != NAME}
    if wrong := sorted({name for name, _ in stated.items() ^ found.items()}):
        name = wrong[0]
        why = "is missing" if name not in found else f"is not among the {NAME}" if name not in stated else "was changed"
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise UserError(f"{folder / name}: {why}{more}; {REMEDY}")
    return stated


def _stated(path: Path) -> dict[str, str]:
    stated = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not (match := _LINE.fullmatch(line)):
            raise UserError(f"{path}, line {number}: not a SHA-256, two spaces and a path; {REMEDY}")
        stated[match["path"]] = match["digest"]
    return stated
