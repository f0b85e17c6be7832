"""Reward model: the better response above the worse (Bradley and Terry, 1952; Ouyang et al., 2022,
arXiv:2203.02155), read at the token that ends the turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import logsigmoid
from trl import RewardConfig, RewardTrainer
from trl.trainer.reward_trainer import DataCollatorForPreference

from loop.recipe_parts import FinetunePart
from loop.records import TrainRow
from workers.engines.tokens import ChatTokens
from workers.trainers.checkpoints import AtomicCheckpoints
from workers.trainers.encode import Encoded, encode_dpo
from workers.trainers.objectives import Parts
from workers.trainers.objectives._counting import Counting
from workers.trainers.objectives._heads import TASK, load_sequence, save_head, start
from workers.trainers.objectives._updates import PerUpdate

__all__ = ["TASK", "build", "encode", "load", "start"]

load = load_sequence


def encode(rows: Sequence[TrainRow], tokens: ChatTokens, settings: FinetunePart) -> Encoded:
    """``chosen_ids`` and ``rejected_ids`` (prompt and response), ``weight`` and ``target`` per pair.

    Raises:
        TemplateError: there is no end token to read the reward at.
    """
    pairs = encode_dpo(rows, tokens, settings.max_length)
    whole = [
        {
            "chosen_ids": pair["prompt_ids"] + pair["chosen_ids"],
            "rejected_ids": pair["prompt_ids"] + pair["rejected_ids"],
            "weight": pair["weight"],
            "target": pair["target"],
        }
        for pair in pairs.rows
    ]
    return Encoded(whole, pairs.dropped)


def build(parts: Parts) -> Any:
    fill = _filling(parts)
    trainer = WeightedReward(
        parts.model,
        args=RewardConfig(**parts.common),
        data_collator=PadReward(fill),
        **save_head(parts.options),
    )
    trainer.model.config.get_text_config().pad_token_id = fill  # how the model finds each row's last token
    trainer.margin, trainer.center = parts.settings.margin, parts.settings.center
    return trainer


def _filling(parts: Parts) -> int:
    """An id for padding with which no row ends: the model reads the last token that is another."""
    last = {row[side][-1] for row in parts.rows for side in ("chosen_ids", "rejected_ids")}
    free = (i for i in (parts.tokens.pad_id, *range(len(last) + 1)) if i not in last)
    return int(next(free))


class WeightedReward(Counting, AtomicCheckpoints, PerUpdate, RewardTrainer):
    """Loss: mean over the update's pairs of weight x (-p log sigma(d - margin) - (1 - p) log sigma(-d -
    margin) + center x (r+ + r-)^2), with d = r+ - r- and p the chance that the chosen side is the better.

    The last term (Eisenstein et al., 2023, arXiv:2312.09244) keeps rewards of different prompts on one scale:
    pairs alone only tell responses of one prompt apart.
    """

    margin = 0.0
    center = 0.0

    def counts(self, inputs: dict[str, Any]) -> torch.Tensor:
        return torch.tensor([len(inputs["weight"])])

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        (pairs,) = self.per_update(inputs, num_items_in_batch)
        weight, p = inputs.pop("weight"), inputs.pop("target")
        self.count(inputs)
        rewards = model(**inputs, use_cache=False).logits.squeeze(-1).float()
        chosen, rejected = rewards.chunk(2)
        d = chosen - rejected
        losses = -p * logsigmoid(d - self.margin) - (1 - p) * logsigmoid(-d - self.margin)
        if self.center:
            losses = losses + self.center * (chosen + rejected) ** 2
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["margin"].append(d.detach().mean().item())
        metrics["accuracy"].append((d.detach() > 0).float().mean().item())
        return (weight * losses).sum() / pairs.to(losses.device)


class PadReward(DataCollatorForPreference):
    """TRL's own padding of pairs, plus the weights and targets."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        for name in ("weight", "target"):
            batch[name] = torch.tensor([e[name] for e in examples], dtype=torch.float32)
        return batch
