"""Direct preference optimisation: the better side up, the worse down, against a reference.

The reference is the policy that training starts from: the base, or the start adapter, of which TRL keeps a
frozen copy. Started from the champion on its own samples against people's text, this is SPIN (Chen et al.,
2024, arXiv:2401.01335). With weights and ``sft_weight`` it is ScPO (Prasad et al., 2024, arXiv:2411.04109).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import logsigmoid
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from loop.recipe_parts import FinetunePart
from loop.records import TrainRow
from workers.engines.tokens import ChatTokens
from workers.trainers.checkpoints import AtomicCheckpoints
from workers.trainers.encode import IGNORED, Encoded, encode_dpo
from workers.trainers.objectives import Parts
from workers.trainers.objectives._counting import Counting
from workers.trainers.objectives._updates import PerUpdate


def encode(rows: Sequence[TrainRow], tokens: ChatTokens, settings: FinetunePart) -> Encoded:
    return encode_dpo(rows, tokens, settings.max_length)


def build(parts: Parts) -> Any:
    s = parts.settings
    trainer = WeightedDPO(
        parts.model,
        args=DPOConfig(beta=s.beta, **parts.common),
        data_collator=PadDPO(parts.tokens.pad_id),
        **parts.options,
    )
    trainer.pair_loss, trainer.noise, trainer.sft_weight = s.loss, s.label_smoothing, s.sft_weight
    return trainer


def pair_losses(
    kind: str, chosen: torch.Tensor, rejected: torch.Tensor, target: torch.Tensor, beta: float
) -> torch.Tensor:
    """The loss of each pair; all (pairs,).

    ``chosen`` and ``rejected`` are log-ratios to the reference, summed over tokens (for ipo: averaged);
    ``target`` is the chance p that the chosen side is the better one.

    * sigmoid: -p log sigma(z) - (1 - p) log sigma(-z), z = beta (chosen - rejected): DPO for p = 1
      (Rafailov et al., 2023, arXiv:2305.18290), soft preference labels otherwise.
    * ipo: p (h - 1/2 beta)^2 + (1 - p) (h + 1/2 beta)^2, h = chosen - rejected (Azar et al., 2023,
      arXiv:2310.12036, eq. 17). Log-ratios are averages per token, as in TRL, whose authors had this
      confirmed by the paper's: sums would make the target depend on length.
    * sppo: (chosen - (p - 1/2) / beta)^2 + (rejected - (1/2 - p) / beta)^2, beta = 1 / eta (Wu et al., 2024,
      arXiv:2405.00675, eq. 4.7); TRL's ``sppo_hard`` for p = 1.
    """
    if kind == "sigmoid":
        z = beta * (chosen - rejected)
        return -target * logsigmoid(z) - (1 - target) * logsigmoid(-z)
    if kind == "ipo":
        h, aim = chosen - rejected, 1 / (2 * beta)
        return target * (h - aim) ** 2 + (1 - target) * (h + aim) ** 2
    if kind == "sppo":
        aim = (target - 0.5) / beta
        return (chosen - aim) ** 2 + (rejected + aim) ** 2
    raise ValueError(f"there is no pairwise loss {kind!r}")


class WeightedDPO(Counting, AtomicCheckpoints, PerUpdate, DPOTrainer):
    """Loss: mean over the update's pairs of weight x `pair_losses`, plus ``sft_weight`` x weighted NLL of the
    chosen sides per token of theirs, which keeps their probability from falling.

    ``noise`` is the chance that a label is wrong way round (conservative DPO): a target p becomes
    p (1 - noise) + (1 - p) noise. TRL's own ``label_smoothing`` does nothing to its sigmoid loss.
    """

    pair_loss = "sigmoid"
    noise = 0.0
    sft_weight = 0.0

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset  # already token ids

    def counts(self, inputs: dict[str, Any]) -> torch.Tensor:
        chosen = inputs["completion_mask"].chunk(2)[0]
        return torch.stack([torch.tensor(len(chosen), device=chosen.device), chosen.sum()])

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        weight, target = inputs.pop("weight"), inputs.pop("target")
        self.count(inputs)
        pairs, tokens = self.per_update(inputs, num_items_in_batch)
        reference = torch.stack(self.compute_ref_log_probs(self.model, inputs))
        mask = inputs["completion_mask"]
        outputs = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            labels=inputs["input_ids"].masked_fill(mask == 0, IGNORED),
            use_cache=False,
            fused_lm_head=True,
        )
        policy = torch.stack(outputs.log_probs.sum(1).chunk(2))
        ratios = policy - reference
        if self.pair_loss == "ipo":
            ratios = ratios / torch.stack(mask.sum(1).chunk(2))
        target = target * (1 - self.noise) + (1 - target) * self.noise
        losses = pair_losses(self.pair_loss, ratios[0], ratios[1], target, self.beta)
        loss = (weight * losses).sum() / pairs
        if self.sft_weight:
            loss = loss + self.sft_weight * (weight * -policy[0]).sum() / tokens
        margin = self.beta * (ratios[0] - ratios[1]).detach()
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["margin"].append(margin.mean().item())
        metrics["chosen_change"].append((policy - reference)[0].detach().mean().item())  # of a response, nats
        metrics["accuracy"].append((margin > 0).float().mean().item())
        return loss


class PadDPO(DataCollatorForPreference):
    """TRL's own padding of pairs, plus weights and targets."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        for name in ("weight", "target"):
            batch[name] = torch.tensor([e[name] for e in examples], dtype=torch.float32)
        return batch
