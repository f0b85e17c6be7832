"""Process reward model: each judged step good or wrong, read at the token that completes it (Lightman et al.,
2023, arXiv:2305.20050). TRL had a trainer for it and removed it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from peft import get_peft_model
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import TrainingArguments

from loop.recipe_parts import FinetunePart
from loop.records import TrainRow
from workers.engines.tokens import ChatTokens
from workers.trainers.checkpoints import AtomicCheckpoints
from workers.trainers.encode import IGNORED, Encoded
from workers.trainers.objectives import Parts
from workers.trainers.objectives._batches import padded
from workers.trainers.objectives._counting import Counting
from workers.trainers.objectives._heads import TASK, load_tokens, save_head, start
from workers.trainers.objectives._updates import PerUpdate

__all__ = ["TASK", "build", "encode", "load", "start"]

load = load_tokens


def encode(rows: Sequence[TrainRow], tokens: ChatTokens, settings: FinetunePart) -> Encoded:
    """``input_ids``, ``weight`` and ``chances``: at the token that completes a judged step the chance that it
    is good, elsewhere `IGNORED`.

    The response is followed by no end token: what comes after a step cannot change its reward. Where two
    steps end in one token, a wrong one decides.

    Raises:
        ValueError: a label outside its text, or a chance that is none.
    """
    out = Encoded()
    for row in rows:
        if not row.steps:
            out.dropped["no_labels"] += 1
            continue
        if any(not 0 <= chance <= 1 for _, chance in row.steps):
            raise ValueError(f"a step label of prompt {row.prompt_id} does not lie within 0 and 1")
        context = tokens.prompt_ids(row.messages) + tokens.text_ids(row.prefix)
        answer = tokens.text_ids(row.chosen)
        if len(context) + len(answer) > settings.max_length:
            out.dropped["too_long"] += 1
            continue
        chances = [float(IGNORED)] * (len(context) + len(answer))
        places = tokens.end_places(answer, row.chosen, [end for end, _ in row.steps])
        for place, (_, chance) in zip(places, row.steps, strict=True):
            at = len(context) + place
            chances[at] = chance if chances[at] == IGNORED else min(chance, chances[at])
        out.rows.append({"input_ids": context + answer, "chances": chances, "weight": row.weight})
    return out


def build(parts: Parts) -> Any:
    options = save_head(dict(parts.options))
    config = options.pop("peft_config", None)
    model = parts.model if config is None else get_peft_model(parts.model, config)
    common = {k: v for k, v in parts.common.items() if k != "max_length"}
    if common["gradient_checkpointing"]:
        model.enable_input_require_grads()
    return StepRewards(
        model, TrainingArguments(**common), data_collator=PadSteps(parts.tokens.pad_id), **options
    )


class StepRewards(Counting, AtomicCheckpoints, PerUpdate):
    """Loss: sum over judged steps of the row's weight x -(c log p + (1 - c) log(1 - p)), per judged step of
    the whole update; c is the label (soft ones, too), p = sigma(logit).

    ``accuracy``: p on the label's side of 1/2. ``margin``: mean logit of good steps less that of wrong ones.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._metrics: dict[str, dict[str, list[float]]] = {"train": defaultdict(list)}

    def counts(self, inputs: dict[str, Any]) -> torch.Tensor:
        return (inputs["chances"] != IGNORED).sum()[None]

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        (steps,) = self.per_update(inputs, num_items_in_batch)
        chances, weight = inputs.pop("chances"), inputs.pop("weight")
        self.count(inputs)
        logits = model(**inputs, use_cache=False).logits.squeeze(-1).float()
        judged = chances != IGNORED
        said, label = logits[judged], chances[judged]
        losses = binary_cross_entropy_with_logits(said, label, reduction="none")
        self._note(said.detach(), label)
        return (weight[:, None].expand_as(chances)[judged] * losses).sum() / steps.to(losses.device)

    def _note(self, said: torch.Tensor, label: torch.Tensor) -> None:
        metrics, good = self._metrics["train"], label > 0.5
        metrics["accuracy"].append(((said > 0) == good).float().mean().item())
        if good.any() and not good.all():
            metrics["margin"].append((said[good].mean() - said[~good].mean()).item())

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        metrics = self._metrics["train"]
        super().log(logs | {k: sum(v) / len(v) for k, v in metrics.items()}, *args, **kwargs)
        metrics.clear()


class PadSteps:
    """Right-padded: ``input_ids``, ``attention_mask`` and ``chances`` (rows, longest), ``weight`` (rows)."""

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        return {
            "input_ids": padded([r["input_ids"] for r in rows], self.pad_id),
            "attention_mask": padded([[1] * len(r["input_ids"]) for r in rows], 0),
            "chances": padded([r["chances"] for r in rows], float(IGNORED)),
            "weight": torch.tensor([r["weight"] for r in rows], dtype=torch.float32),
        }
