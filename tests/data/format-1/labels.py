"""The label schema: span types, claim classes, BIO tags and their ids.

It is written into ``config.json`` (``id2label`` and ``claim_id2label``) when a model is saved and read from there when one is
loaded, so that a published folder is complete in itself. Nothing else in the project spells a tag or an id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

PERSON, ROLE, NUMBER, PROGRAM = SPAN_TYPES = ("PERSON", "ROLE", "NUMBER", "PROGRAM")
ANNOUNCEMENT, STATISTIC, POLICY = CLAIMS = ("ANNOUNCEMENT", "STATISTIC", "POLICY")
OUTSIDE = "O"
NO_CLAIM = "NONE"  # in gold only: the right answer is to abstain
IGNORED = -100  # torch's own id for "no label here": the loss skips it


@dataclass(frozen=True)
class Schema:
    """Span types and claim classes in the order of their ids; ``claims`` is empty for a model without a claim head."""

    span_types: tuple[str, ...] = SPAN_TYPES
    claims: tuple[str, ...] = CLAIMS

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """BIO tags by id: ``O``, then ``B-X``, ``I-X`` for each type, so B is odd and I is the even id after it."""
        return (OUTSIDE, *(f"{prefix}-{label}" for label in self.span_types for prefix in "BI"))

    def begin(self, label: str) -> int:
        """Id of ``B-label``; raises ValueError for a label that is not of the schema."""
        return 1 + 2 * self.span_types.index(label)

    def inside(self, label: str) -> int:
        """Id of ``I-label``; raises ValueError for a label that is not of the schema."""
        return self.begin(label) + 1

    def type_of(self, tag: int) -> str | None:
        """Span type of a tag's id, or None for ``O``."""
        return None if tag == 0 else self.span_types[(tag - 1) // 2]

    def to_config(self) -> dict[str, Any]:
        """The entries of ``config.json`` that carry the schema."""
        return {
            "id2label": dict(enumerate(self.tags)),
            "label2id": {tag: i for i, tag in enumerate(self.tags)},
            "claim_id2label": dict(enumerate(self.claims)),
        }

    @classmethod
    def from_config(cls, id2label: Mapping[Any, str], claim_id2label: Mapping[Any, str] | None) -> Schema:
        """Read the schema back. Raises ValueError if the tags are not ``O, B-X, I-X, …`` in that order."""
        tags = _by_id(id2label)
        schema = cls(tuple(tag[2:] for tag in tags[1::2]), tuple(_by_id(claim_id2label or {})))
        if schema.tags != tuple(tags):
            raise ValueError(f"id2label is not a BIO tag set in the order O, B-X, I-X, …: {list(tags)}")
        return schema


def _by_id(names: Mapping[Any, str]) -> Sequence[str]:
    """Names in the order of their ids (JSON turns integer keys into strings)."""
    by_id = {int(i): name for i, name in names.items()}
    if sorted(by_id) != list(range(len(by_id))):
        raise ValueError(f"label ids are not 0 … {len(by_id) - 1}: {sorted(by_id)}")
    return [by_id[i] for i in range(len(by_id))]
