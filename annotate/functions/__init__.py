"""Labelling functions, one module a label. ``SPAN_FUNCTIONS`` and ``CLAIM_FUNCTIONS`` are all of them."""

from __future__ import annotations

from . import claims, numbers, persons, programs, roles
from .base import ClaimFunction, Passage, SpanFunction

SPAN_FUNCTIONS: tuple[SpanFunction, ...] = (*persons.FUNCTIONS, *roles.FUNCTIONS, *numbers.FUNCTIONS, *programs.FUNCTIONS)
CLAIM_FUNCTIONS: tuple[ClaimFunction, ...] = claims.FUNCTIONS

__all__ = ["CLAIM_FUNCTIONS", "SPAN_FUNCTIONS", "ClaimFunction", "Passage", "SpanFunction"]
