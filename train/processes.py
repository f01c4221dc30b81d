"""The processes of a run that ``accelerate launch`` or ``torchrun`` started; one where neither did."""

from __future__ import annotations

import torch
from accelerate.state import PartialState

from models.errors import UserError


def processes() -> PartialState:
    """Which of them this is, and how they wait for one another; they talk by gloo where there is no GPU."""
    return PartialState(cpu=not torch.cuda.is_available())


def check_alone(task: str, command: str) -> None:
    """Raise UserError for a task that runs in one process where there are several; ``command`` starts it by itself."""
    several: int = processes().num_processes  # type: ignore[has-type] # set where mypy does not look
    if several > 1:
        raise UserError(f"{task} in one process, and there are {several}; run `{command}` by itself")
