"""Right-padded batches of rows of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from workers.trainers.encode import IGNORED

PLACES = 2**24  # more than a row has tokens: row number x PLACES + position names a token


class PadSFT:
    """Batches of `encode_sft` rows; each (rows, longest):

    ``input_ids``, ``labels``, ``attention_mask``, ``weight`` (the row's, for each of its tokens) and
    ``place`` (which row and token this is, whatever batch it is in).
    """

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        width = max(len(r["input_ids"]) for r in rows)
        lengths = torch.tensor([len(r["input_ids"]) for r in rows])
        numbers = torch.tensor([r["number"] for r in rows])
        return {
            "input_ids": padded([r["input_ids"] for r in rows], self.pad_id),
            "labels": padded([r["labels"] for r in rows], IGNORED),
            "attention_mask": (torch.arange(width)[None, :] < lengths[:, None]).long(),
            "weight": torch.tensor([r["weight"] for r in rows], dtype=torch.float32)[:, None].repeat(
                1, width
            ),
            "place": numbers[:, None] * PLACES + torch.arange(width)[None, :],
        }


def padded(rows: Sequence[list[Any]], fill: Any) -> torch.Tensor:
    """(rows, longest)."""
    width = max(map(len, rows))
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows])
