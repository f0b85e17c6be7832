"""Several rows in one sequence: the same update with less padding, where the model keeps them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from workers.trainers.encode import IGNORED
from workers.trainers.objectives._batches import PLACES

SEEN = 64  # tokens of a row that the check reads
# Largest relative difference (root mean square) of logits that counts as rounding. One row that reads another
# changes them by tenths.
ROUNDING = {torch.float32: 1e-4, torch.float64: 1e-8}
ROUNDING_HALF = 0.05


class PackSFT:
    """Packs a micro-batch's rows, best fit first, into sequences of at most ``max_length`` tokens.

    Each row keeps its own positions, from 0 on; with no attention mask given, transformers keeps apart what
    does not count on. The rows of an update are those of an unpacked one. Best-fit decreasing after Ding et
    al., 2024, arXiv:2404.10830.
    """

    def __init__(self, pad_id: int, max_length: int) -> None:
        self.pad_id, self.max_length = pad_id, max_length

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        bins = packed([len(row["input_ids"]) for row in rows], self.max_length)
        width = max(sum(len(rows[i]["input_ids"]) for i in one) for one in bins)
        batch = {
            "input_ids": torch.full((len(bins), width), self.pad_id),
            "labels": torch.full((len(bins), width), IGNORED),
            "attention_mask": torch.zeros((len(bins), width), dtype=torch.long),  # counted, not given
            "position_ids": torch.zeros((len(bins), width), dtype=torch.long),
            "weight": torch.zeros((len(bins), width)),
            "place": torch.zeros((len(bins), width), dtype=torch.long),
        }
        for line, one in enumerate(bins):
            start = 0
            for row in (rows[i] for i in one):
                length = len(row["input_ids"])
                at = (line, slice(start, start + length))
                positions = torch.arange(length)
                batch["input_ids"][at] = torch.tensor(row["input_ids"])
                batch["labels"][at] = torch.tensor(row["labels"])
                batch["attention_mask"][at] = 1
                batch["position_ids"][at] = positions
                batch["weight"][at] = row["weight"]
                batch["place"][at] = row["number"] * PLACES + positions
                start += length
        return batch


def packed(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Bins of indices, none longer than ``capacity`` together unless one alone is: longest first, each into
    the fullest bin that has room."""
    bins: list[list[int]] = []
    room: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        fits = [b for b, left in enumerate(room) if left >= lengths[i]]
        if fits:
            best = min(fits, key=lambda b: (room[b], b))
        else:
            best = len(bins)
            bins.append([])
            room.append(capacity)
        bins[best].append(i)
        room[best] -= lengths[i]
    return bins


@torch.no_grad()
def packing_refused(model: Any, rows: Sequence[dict[str, Any]], pad_id: int) -> str:
    """Why rows cannot be packed for this model on this device; "" when packed rows get the logits that they
    get alone, up to rounding."""
    shortest = sorted(rows, key=lambda r: len(r["input_ids"]))[:3]
    ids = [row["input_ids"][:SEEN] for row in shortest]
    if len(ids) < 3:
        ids = (ids * 3)[:3]
    width = len(ids[0]) + len(ids[1])
    lines = [[*ids[0], *ids[1]], ids[2] + [pad_id] * (width - len(ids[2]))]
    positions = [
        [*range(len(ids[0])), *range(len(ids[1]))],
        [*range(len(ids[2])), *[0] * (width - len(ids[2]))],
    ]
    longest = max(map(len, lines))
    lines = [line + [pad_id] * (longest - len(line)) for line in lines]
    positions = [line + [0] * (longest - len(line)) for line in positions]
    device, training = next(model.parameters()).device, model.training
    model.eval()
    try:
        alone = [_logits(model, [one], None, device)[0] for one in ids]
        together = _logits(model, lines, positions, device)
    except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        return f"the model does not take packed rows: {error}"
    finally:
        model.train(training)
    cut = [together[0, : len(ids[0])], together[0, len(ids[0]) : width], together[1, : len(ids[2])]]
    worst = max(_difference(a, b) for a, b in zip(alone, cut, strict=True))
    limit = ROUNDING.get(next(model.parameters()).dtype, ROUNDING_HALF)
    if not worst <= limit:
        return f"packed rows read each other in this model: their logits differ by {worst:.2g} of their size"
    return ""


def _logits(model: Any, ids: list[list[int]], positions: list[list[int]] | None, device: Any) -> torch.Tensor:
    more = {} if positions is None else {"position_ids": torch.tensor(positions, device=device)}
    logits = model(input_ids=torch.tensor(ids, device=device), use_cache=False, **more).logits
    return torch.as_tensor(logits).float()


def _difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).square().mean().sqrt() / a.square().mean().sqrt().clamp(min=1e-12))
