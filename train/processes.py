"""The processes of a run that ``accelerate launch`` or ``torchrun`` started; one where neither did."""

from __future__ import annotations

import torch
from accelerate.state import PartialState


def processes() -> PartialState:
    """Which of them this is, and how they wait for one another; they talk by gloo where there is no GPU."""
    return PartialState(cpu=not torch.cuda.is_available())
