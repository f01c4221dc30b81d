"""What a step of training reads. The sentences of a step depend on the seed alone: not on how many processes share them, nor on how many
passes of the network a process needs for its share, nor on whether a pass is packed or padded. So the step's loss does not either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from models.encoding import Floats, Ids
from models.labels import IGNORED

Batch = dict[str, Any]  # tensors by the names of GozarehModel.forward's arguments


@dataclass(frozen=True, slots=True)
class Row:
    """A window of a sentence as the network learns from it: (tokens,) ids, labels and label scores, (claims,) targets, and its weight."""

    id: str
    input_ids: Ids
    labels: Ids
    scores: Floats
    claim: tuple[float, ...]
    weight: float

    def __len__(self) -> int:
        return len(self.input_ids)


def generator(seed: int, number: int) -> torch.Generator:
    """The random numbers of a seed's epoch, or step, of that number: they depend on nothing that was drawn before."""
    return torch.Generator().manual_seed(int(np.random.default_rng((seed, number)).integers(2**32)))


class Steps(Sampler[list[int]]):
    """The rows of each step of an epoch: all rows in a new random order, in parts of ``size`` or nearly."""

    def __init__(self, rows: int, size: int, seed: int) -> None:
        self.rows, self.size, self.seed, self.epoch = rows, size, seed, 0

    def __len__(self) -> int:
        return (self.rows + self.size - 1) // self.size

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's order; the Trainer calls it."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.rows)
        return iter([part.tolist() for part in np.array_split(order, len(self))])


class StepLoader(DataLoader[Row]):
    """Gives a step at a time to one of several processes."""

    def __init__(self, rows: Sequence[Row], steps: Steps, process: int, processes: int) -> None:
        super().__init__(rows, batch_sampler=steps, collate_fn=Share(process, processes))  # type: ignore[arg-type]

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's order; the Trainer calls it."""
        assert isinstance(self.batch_sampler, Steps)
        self.batch_sampler.set_epoch(epoch)


@dataclass(frozen=True)
class Share:
    """Collates the rows of a step: ``rows``, those of this process, and ``totals``, the weight of all labelled tokens and sentences of the
    step, which the loss is divided by.
    """

    process: int
    processes: int

    def __call__(self, rows: Sequence[Row]) -> dict[str, Any]:
        """See the class."""
        tokens = sum(row.weight * int((row.labels != IGNORED).sum()) for row in rows)
        sentences = sum(row.weight for row in rows if any(row.claim))
        shares = deal([len(row) for row in rows], self.processes)
        return {"rows": [rows[i] for i in shares[self.process]], "totals": (tokens, sentences)}


def deal(lengths: Sequence[int], parts: int) -> list[list[int]]:
    """Places of the lengths in so many parts of nearly equal sums: the longest first, each to the part that has least."""
    dealt: list[list[int]] = [[] for _ in range(parts)]
    sums = [0] * parts
    for place in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        least = sums.index(min(sums))
        dealt[least].append(place)
        sums[least] += lengths[place]
    return dealt


def passes(rows: Sequence[Row], budget: int, packing: bool) -> list[list[Row]]:
    """The rows in passes of the network, each of at most ``budget`` tokens, padding included, or of a single row.

    Packed, there are as few as can be, and the smallest is last. Padded, rows alike in length share a pass: each is at least half as long
    as the longest.
    """
    if packing:
        fewest = min(-(-sum(map(len, rows)) // budget), len(rows))
        for count in range(fewest, len(rows) + 1):
            parts = deal([len(row) for row in rows], count)
            if count == len(rows) or all(sum(len(rows[i]) for i in part) <= budget for part in parts):
                return sorted(([rows[i] for i in part] for part in parts), key=lambda part: -sum(map(len, part)))
    batches: list[list[Row]] = []
    for row in sorted(rows, key=len, reverse=True):
        longest = len(batches[-1][0]) if batches else 0
        if 2 * len(row) < longest or not longest or longest * (len(batches[-1]) + 1) > budget:
            batches.append([])
        batches[-1].append(row)
    return batches


def packed(rows: Sequence[Row], first_position: int = 0) -> Batch:
    """The rows one after another in one of (1, tokens), with ``bounds`` and ``longest``; each one's positions begin at the first."""
    lengths = [len(row) for row in rows]
    return {
        "input_ids": _joined([row.input_ids for row in rows]),
        "position_ids": _joined([np.arange(first_position, first_position + length) for length in lengths]),
        "labels": _joined([row.labels for row in rows]),
        "label_scores": _joined([row.scores for row in rows]).float(),
        "bounds": torch.tensor([0, *lengths]).cumsum(0).int(),
        "longest": max(lengths),
        **_of_sentences(rows),
    }


def padded(rows: Sequence[Row], pad_token_id: int | None) -> Batch:
    """(rows, tokens) tensors, padded to the longest row; padding carries no label."""
    lengths = torch.tensor([len(row) for row in rows])
    longest = int(lengths.max())

    def column(values: Sequence[Ids | Floats], fill: float) -> Tensor:
        return torch.from_numpy(np.stack([np.pad(value, (0, longest - len(value)), constant_values=fill) for value in values]))

    return {
        "input_ids": column([row.input_ids for row in rows], pad_token_id or 0),
        "attention_mask": (torch.arange(longest) < lengths[:, None]).long(),
        "labels": column([row.labels for row in rows], IGNORED),
        "label_scores": column([row.scores for row in rows], 1.0).float(),
        **_of_sentences(rows),
    }


def _joined(values: Sequence[Ids | Floats]) -> Tensor:
    return torch.from_numpy(np.concatenate(values))[None]


def _of_sentences(rows: Sequence[Row]) -> Batch:
    return {"claim_targets": torch.tensor([row.claim for row in rows]), "weights": torch.tensor([row.weight for row in rows])}
