"""Negative-aware finetuning: learn from one's own samples, the wrong ones too.

Chen et al., 2025, arXiv:2505.18116. With R the token's probability ratio to the policy that sampled it and r
the prompt's rate of right samples, the policy of wrong samples is, implicitly, (1 - r R) / (1 - r) times the
old one, so that both kinds train one model by likelihood:

    right: -log R        wrong: -log max((1 - r R) / (1 - r), eps)

The max is straight through: its value is clamped, its gradient is that of its argument. Prompts weigh 1 - r,
which on-policy makes the gradient that of rewards with their mean taken off. As released: eps = 1, r within
[0.02, 0.98], log R at most 10. R is a ratio at temperature 1: sample so, without top-k or top-p.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from trl import SFTConfig, SFTTrainer

from loop.recipe_parts import FinetunePart
from loop.records import TrainRow
from workers.engines.tokens import ChatTokens
from workers.trainers.checkpoints import AtomicCheckpoints
from workers.trainers.encode import IGNORED, Encoded, encode_nft
from workers.trainers.objectives import Parts
from workers.trainers.objectives._batches import PadSFT, padded
from workers.trainers.objectives._counting import Counting
from workers.trainers.objectives._updates import PerUpdate

EPSILON = 1.0
LEAST_RATE = 0.02
MOST_LOG_RATIO = 10.0


def encode(rows: Sequence[TrainRow], tokens: ChatTokens, settings: FinetunePart) -> Encoded:
    """With ``negative_weight`` 0 wrong samples are left out: what remains is rejection sampling."""
    return encode_nft(rows, tokens, settings.max_length, wrong=settings.negative_weight > 0)


def build(parts: Parts) -> Any:
    args = SFTConfig(dataset_kwargs={"skip_prepare_dataset": True}, **parts.common)
    trainer = NFT(parts.model, args, PadNFT(parts.tokens.pad_id), **parts.options)
    trainer.negative_weight = parts.settings.negative_weight
    return trainer


def token_losses(
    log_ratio: torch.Tensor, right: torch.Tensor, rate: torch.Tensor, epsilon: float = EPSILON
) -> torch.Tensor:
    """NFT's loss of each token, before any weight; ``right`` and ``rate`` broadcast over (rows, tokens)."""
    ratio = log_ratio.clamp(max=MOST_LOG_RATIO).exp()
    other = (1 - rate * ratio) / (1 - rate)  # the ratio of the implicit policy of wrong samples
    clamped = other + (other.clamp(min=epsilon) - other).detach()
    return torch.where(right, -log_ratio, -clamped.log())


class NFT(Counting, AtomicCheckpoints, PerUpdate, SFTTrainer):
    """Loss: sum over sampled tokens of weight x (1 - r) x `token_losses`, wrong ones also x
    ``negative_weight``, per sampled token of the whole update."""

    negative_weight = 1.0

    def counts(self, inputs: dict[str, Any]) -> torch.Tensor:
        return (inputs["labels"][:, 1:] != IGNORED).sum()[None]

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        self.count(inputs)
        (tokens,) = self.per_update(inputs, num_items_in_batch)
        right, rate = inputs["label"][:, None], inputs["rate"][:, None].clamp(LEAST_RATE, 1 - LEAST_RATE)
        outputs = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            labels=inputs["labels"],
            use_cache=False,
            fused_lm_head=True,
        )
        sampled = outputs.label_mask
        log_ratio = (outputs.log_probs - inputs["logprobs"][:, 1:]).masked_fill(~sampled, 0.0)
        weight = inputs["weight"][:, 1:] * (1 - rate) * torch.where(right, 1.0, self.negative_weight)
        losses = token_losses(log_ratio, right, rate).masked_fill(~sampled, 0.0)
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["ratio"].append(log_ratio[sampled].detach().exp().mean().item())
        return (weight * losses).sum() / tokens


class PadNFT(PadSFT):
    """Adds ``logprobs`` (rows, longest), ``label`` and ``rate`` (rows,)."""

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch = super().__call__(rows)
        batch["logprobs"] = padded([r["logprobs"] for r in rows], 0.0)
        batch["label"] = torch.tensor([r["label"] for r in rows])
        batch["rate"] = torch.tensor([r["rate"] for r in rows], dtype=torch.float32)
        return batch
