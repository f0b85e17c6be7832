"""Direct preference optimisation: the better side up, the worse down, against a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import logsigmoid
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from loop.recipe import FinetunePart
from loop.records import TrainRow
from workers.engines.tokens import ChatTokens
from workers.trainers.checkpoints import AtomicCheckpoints
from workers.trainers.encode import IGNORED, Encoded, encode_dpo
from workers.trainers.objectives import Parts
from workers.trainers.objectives._counting import Counting


def encode(rows: Sequence[TrainRow], tokens: ChatTokens, settings: FinetunePart) -> Encoded:
    return encode_dpo(rows, tokens, settings.max_length)


def build(parts: Parts) -> Any:
    trainer = WeightedDPO(
        parts.model,
        args=DPOConfig(beta=parts.settings.beta, **parts.common),
        data_collator=PadDPO(parts.tokens.pad_id),
        **parts.options,
    )
    trainer.sft_weight = parts.settings.sft_weight
    return trainer


class WeightedDPO(Counting, AtomicCheckpoints, DPOTrainer):
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


class PadDPO(DataCollatorForPreference):
    """TRL's own padding of pairs, plus the weights."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        batch["weight"] = torch.tensor([e["weight"] for e in examples], dtype=torch.float32)
        return batch
