"""Whether a run's folder can hold what the run will write, asked before hours of training."""

from __future__ import annotations

import shutil
import tempfile

from models.errors import UserError
from models.settings import Settings

_CHECKPOINT = 12  # bytes a parameter: the weights and AdamW's two means, 32 bits each
_PUBLISHED = 3 * 2  # 16-bit weights: in the making, the new folder, the old one


def check_room(run: Settings, parameters: int) -> None:
    """Raise UserError if the run's folder cannot be written, or if its disk has not the room for a network of so many parameters."""
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=run.folder):
            pass
    except OSError as error:
        raise UserError(f"{run.folder}: cannot be written: {error.strerror}; run where runs/ can be") from None
    needed, free = room(run, parameters), shutil.disk_usage(run.folder).free
    if free < needed:
        raise UserError(f"{run.folder}: {free / 1e9:.1f} GB of its disk are free, and the run needs {needed / 1e9:.1f}; make room")


def room(run: Settings, parameters: int) -> int:
    """Bytes that a run takes at most: checkpoints stay until the next run, and one is written before an older is deleted."""
    stages = (0 if run.review.network else 1 + run.self_training.rounds) + (run.review.runs if run.review.epochs else 0)
    kept = 2 if run.train.keep == "best" else 1  # the best one and the last one
    return parameters * (_CHECKPOINT * (kept * stages + 1) + _PUBLISHED)
