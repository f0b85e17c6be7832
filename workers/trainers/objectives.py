"""The two objectives, as thin layers on TRL's trainers: rows come tokenised and weighted.

TRL has no weighted rows, and its DPO would tokenise again and append an end token to inner steps, so
both subclasses take exact ids and compute the loss themselves, with TRL's fused LM head. With every
weight 1 the losses equal TRL's own (held by a test; private hooks change between TRL's minor versions).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import logsigmoid
from trl import DPOTrainer, SFTTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from workers.trainers.checkpoints import AtomicCheckpoints
from workers.trainers.encode import IGNORED


class _Counting:
    """Counts the tokens that went through, with and without padding."""

    tokens_seen = 0
    cells_seen = 0

    def count(self, inputs: dict[str, Any]) -> None:
        self.tokens_seen += int(inputs["attention_mask"].sum())
        self.cells_seen += inputs["attention_mask"].numel()


class WeightedSFT(_Counting, AtomicCheckpoints, SFTTrainer):
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


class WeightedDPO(_Counting, AtomicCheckpoints, DPOTrainer):
    """Loss: mean over pairs of weight x -log sigma(beta x margin over the reference) (Rafailov et al., 2023),
    plus ``sft_weight`` x NLL per token of the chosen side, which keeps its probability from falling."""

    sft_weight = 0.0

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset  # already token ids

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        weight = inputs.pop("weight")
        self.count(inputs)
        ref_chosen, ref_rejected = self.compute_ref_log_probs(self.model, inputs)
        mask = inputs["completion_mask"]
        outputs = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            labels=inputs["input_ids"].masked_fill(mask == 0, IGNORED),
            use_cache=False,
            fused_lm_head=True,
        )
        chosen, rejected = outputs.log_probs.sum(1).chunk(2)
        margin = self.beta * ((chosen - ref_chosen) - (rejected - ref_rejected))
        loss = (weight * -logsigmoid(margin)).mean()
        if self.sft_weight:
            tokens = mask[: len(chosen), 1:].sum()
            loss = loss + self.sft_weight * (weight * -chosen).sum() / tokens
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["margin"].append(margin.detach().mean().item())
        metrics["accuracy"].append((margin.detach() > 0).float().mean().item())
        return loss


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


class PadDPO(DataCollatorForPreference):
    """TRL's own padding of pairs, plus the weights."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        batch["weight"] = torch.tensor([e["weight"] for e in examples], dtype=torch.float32)
        return batch
