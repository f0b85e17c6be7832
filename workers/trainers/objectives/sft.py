"""Supervised finetuning on accepted texts, each row with its weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from trl import SFTConfig, SFTTrainer

from loop.recipe import FinetunePart
from loop.records import TrainRow
from workers.engines.tokens import ChatTokens
from workers.trainers.checkpoints import AtomicCheckpoints
from workers.trainers.encode import IGNORED, Encoded, encode_sft
from workers.trainers.objectives import Parts
from workers.trainers.objectives._counting import Counting


def encode(rows: Sequence[TrainRow], tokens: ChatTokens, settings: FinetunePart) -> Encoded:
    return encode_sft(rows, tokens, settings.max_length)


def build(parts: Parts) -> Any:
    args = SFTConfig(dataset_kwargs={"skip_prepare_dataset": True}, **parts.common)
    return WeightedSFT(parts.model, args, PadSFT(parts.tokens.pad_id), **parts.options)


class WeightedSFT(Counting, AtomicCheckpoints, SFTTrainer):
    """Loss: sum over rows of weight x NLL of the trained tokens, per trained token of the whole update."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        weight = inputs.pop("weight")
        self.count(inputs)
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        nll = -outputs.log_probs.sum(1)  # zero on ignored positions
        trained = outputs.label_mask.sum() if num_items_in_batch is None else num_items_in_batch
        return (weight * nll).sum() / torch.as_tensor(trained, device=nll.device).clamp(min=1)


class PadSFT:
    """Right-padded batches of `encode_sft` rows."""

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        width = max(len(r["input_ids"]) for r in rows)

        def padded(name: str, fill: int) -> torch.Tensor:
            return torch.tensor([r[name] + [fill] * (width - len(r[name])) for r in rows])

        lengths = torch.tensor([len(r["input_ids"]) for r in rows])
        return {
            "input_ids": padded("input_ids", self.pad_id),
            "labels": padded("labels", IGNORED),
            "attention_mask": (torch.arange(width)[None, :] < lengths[:, None]).long(),
            "weight": torch.tensor([r["weight"] for r in rows], dtype=torch.float32),
        }
