"""Kahneman-Tversky optimisation: right responses up, wrong ones down, without pairs.

Ethayarajh et al., 2024, arXiv:2402.01306: with r the log-ratio to the reference and z0 the divergence from
it, a right response costs d (1 - sigma(beta (r - z0))), a wrong one u (1 - sigma(beta (z0 - r))); d and u are
the desirable and the undesirable weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import torch
from datasets import Dataset
from trl import KTOConfig, KTOTrainer
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from loop.recipe_parts import FinetunePart
from loop.records import TrainRow
from workers.engines.tokens import ChatTokens
from workers.trainers.checkpoints import AtomicCheckpoints
from workers.trainers.encode import IGNORED, Encoded, encode_kto
from workers.trainers.objectives import Parts
from workers.trainers.objectives._counting import Counting
from workers.trainers.objectives._updates import PerUpdate


def encode(rows: Sequence[TrainRow], tokens: ChatTokens, settings: FinetunePart) -> Encoded:
    """As `encode_kto`.

    Raises:
        ValueError: an update holds a single row, so that z0 cannot be estimated; or TemplateError.
    """
    if settings.batch_size * settings.grad_accum < 2:
        raise ValueError(
            "kto compares each response with that of another prompt in the same update, so an update needs at"
            " least two rows: set finetune.batch_size (or grad_accum) to 2 or more"
        )
    return encode_kto(rows, tokens, settings.max_length)


def build(parts: Parts) -> Any:
    s, micro = parts.settings, parts.common["per_device_train_batch_size"]
    # TRL estimates z0 within a micro-batch and refuses one of a single row. Here an update's rows share it,
    # so that a micro-batch may shrink to one row when memory runs out.
    args = KTOConfig(
        beta=s.beta,
        desirable_weight=s.desirable_weight,
        undesirable_weight=s.undesirable_weight,
        **parts.common | {"per_device_train_batch_size": max(2, micro)},
    )
    rows = mismatched(parts.rows, s.batch_size * s.grad_accum, parts.seed)
    options = parts.options | {"train_dataset": Dataset.from_list(rows)}
    trainer = WeightedKTO(parts.model, args=args, data_collator=PadKTO(parts.tokens.pad_id), **options)
    trainer.args.per_device_train_batch_size = trainer._train_batch_size = micro
    return trainer


def mismatched(rows: Sequence[dict[str, Any]], update: int, seed: int) -> list[dict[str, Any]]:
    """The rows in a drawn order, in which they are trained each epoch, with what z0 is estimated on: each
    update's completions once more, every one with the prompt of the next row."""
    drawn = Random(f"kto/{seed}").sample(list(rows), len(rows))
    out: list[dict[str, Any]] = []
    for start in range(0, len(drawn), update):
        mine = drawn[start : start + update]
        out += twinned(mine, before=mine[-1] if len(mine) > 1 else drawn[start - 1])
    return out


def twinned(rows: Sequence[dict[str, Any]], before: dict[str, Any]) -> list[dict[str, Any]]:
    """Each row with the completion of the row before it, under TRL's name for it."""
    earlier = [before, *rows[:-1]]
    return [
        row | {"KL_completion_ids": other["completion_ids"]} for row, other in zip(rows, earlier, strict=True)
    ]


class WeightedKTO(Counting, AtomicCheckpoints, PerUpdate, KTOTrainer):
    """Loss: mean over the update's rows of weight x KTO's loss, with one z0 for the whole update."""

    calculate_KL: bool  # noqa: N815  (TRL's name)
    divergence: torch.Tensor | None = None

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        return dataset  # already token ids

    def counts(self, inputs: dict[str, Any]) -> torch.Tensor:
        return torch.tensor([len(inputs["label"])], device=inputs["input_ids"].device)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Any]:
        batches, counted = super().get_batch_samples(epoch_iterator, num_batches, device)
        if batches:
            self.divergence = self._divergence([self._prepare_inputs(batch) for batch in batches])
        return batches, counted

    def _divergence(self, batches: list[dict[str, Any]]) -> torch.Tensor:
        """z0: the mean log-ratio of completions to other rows' prompts, not below zero. No gradient."""
        ratios = []
        for batch in batches:
            other = {k.removeprefix("KL_"): v for k, v in batch.items() if k.startswith("KL_")}
            with torch.no_grad(), self.accelerator.autocast():
                ratios.append(self._log_probs(self.model, other) - self._reference(other))
        found = torch.cat(ratios)
        total = torch.stack([found.sum(), torch.tensor(float(len(found)), device=found.device)])
        total = torch.as_tensor(self.accelerator.gather(total[None])).sum(0)
        return (total[0] / total[1]).clamp(min=0)

    def _reference(self, batch: dict[str, Any]) -> torch.Tensor:
        keys = ("input_ids", "attention_mask", "completion_mask")
        calculates, self.calculate_KL = self.calculate_KL, False  # ours is computed over the update
        try:
            found: torch.Tensor = self.compute_ref_log_probs(self.model, {k: batch[k] for k in keys})[0]
        finally:
            self.calculate_KL = calculates
        return found

    @staticmethod
    def _log_probs(model: Any, batch: dict[str, Any]) -> torch.Tensor:
        found: torch.Tensor = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            labels=batch["input_ids"].masked_fill(batch["completion_mask"] == 0, IGNORED),
            use_cache=False,
            fused_lm_head=True,
        ).log_probs.sum(1)
        return found

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        self.count(inputs)
        (rows,) = self.per_update(inputs, num_items_in_batch)
        z0 = self._divergence([inputs]) if self.divergence is None else self.divergence
        ratio = self._log_probs(model, inputs) - self._reference(inputs)
        losses = outcome_losses(
            ratio, z0, inputs["label"], self.beta, self.desirable_weight, self.undesirable_weight
        )
        right, reward = inputs["label"], self.beta * ratio.detach()
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["kl"].append(z0.item())
        metrics["accuracy"].append(((reward > self.beta * z0) == right).float().mean().item())
        if right.any():
            metrics["chosen_change"].append(ratio.detach()[right].mean().item())  # of a response, nats
        if 0 < right.sum() < len(right):
            metrics["margin"].append((reward[right].mean() - reward[~right].mean()).item())
        return (inputs["weight"] * losses).sum() / rows


def outcome_losses(
    ratio: torch.Tensor, z0: torch.Tensor, right: torch.Tensor, beta: float, gain: float, loss: float
) -> torch.Tensor:
    """KTO's loss of each response; ``gain`` and ``loss`` weigh right and wrong ones. All (rows,)."""
    value = torch.sigmoid(beta * torch.where(right, ratio - z0, z0 - ratio))
    return torch.where(right, gain, loss) * (1 - value)


class PadKTO(DataCollatorForUnpairedPreference):
    """TRL's own padding of responses and their mismatched twins, plus weights. Rows that were given none, as
    when memory is tried out, are twinned with each other."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        if "KL_completion_ids" not in examples[0]:
            examples = twinned(examples, before=examples[-1])
        batch: dict[str, Any] = super().torch_call(examples)
        batch["weight"] = torch.tensor([e["weight"] for e in examples], dtype=torch.float32)
        return batch
