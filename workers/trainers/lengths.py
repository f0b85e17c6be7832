"""Batches of rows of like length: less padding, the same order after any interruption."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import Sampler

POOL = 50  # updates whose rows are sorted together; small enough that updates stay mixed


def row_length(row: Mapping[str, Any]) -> int:
    """Tokens of an encoded row's longest side; 0 for rows that carry no ids."""
    if "input_ids" in row:
        return len(row["input_ids"])
    sides = [len(row[name]) for name in ("chosen_ids", "rejected_ids", "completion_ids") if name in row]
    return len(row.get("prompt_ids", ())) + max(sides, default=0)


def longest_first(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=row_length, reverse=True)


class LikeLengths(Sampler[int]):
    """Row numbers in an order where each update's rows are of like length and updates come in random order.

    The order depends on the seed and on how often the rows were gone through, which is read off the
    trainer's step: a resumed run, and one whose micro-batch was halved, see the very same updates.
    """

    def __init__(self, lengths: Sequence[int], per_update: int, seed: int, step: Callable[[], int]) -> None:
        self.lengths, self.per_update, self.seed, self.step = lengths, per_update, seed, step

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        updates = -(-len(self.lengths) // self.per_update)
        return iter(self.order(self.step() // updates))

    def order(self, epoch: int) -> list[int]:
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        mixed: list[int] = torch.randperm(len(self.lengths), generator=draw).tolist()
        size = self.per_update * POOL
        batches = []
        for start in range(0, len(mixed), size):
            pool = sorted(mixed[start : start + size], key=self.lengths.__getitem__, reverse=True)
            batches += [pool[i : i + self.per_update] for i in range(0, len(pool), self.per_update)]
        # Only the last may be short, and must stay last: shorter ones in between would shift all after them.
        whole = [b for b in batches if len(b) == self.per_update]
        rest = [b for b in batches if len(b) < self.per_update]
        shuffled: list[int] = torch.randperm(len(whole), generator=draw).tolist()
        return [row for batch in [*(whole[i] for i in shuffled), *rest] for row in batch]
