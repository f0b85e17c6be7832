"""Supervised finetuning on accepted texts, each row with its weight and each token learned or only read.

Also reward-weighted regression (outcome rows, ``reward_temperature``), masked thought (``mask_inputs``) and
packing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from trl import SFTConfig, SFTTrainer

from loop.recipe_parts import FinetunePart
from loop.records import TrainRow
from workers.engines.tokens import ChatTokens
from workers.trainers.checkpoints import AtomicCheckpoints
from workers.trainers.encode import IGNORED, Encoded, encode_sft
from workers.trainers.objectives import Parts
from workers.trainers.objectives._batches import PadSFT
from workers.trainers.objectives._counting import Counting
from workers.trainers.objectives._masking import hole_id, with_holes
from workers.trainers.objectives._packing import PackSFT, packing_refused
from workers.trainers.objectives._updates import PerUpdate

log = logging.getLogger(__name__)


def encode(rows: Sequence[TrainRow], tokens: ChatTokens, settings: FinetunePart) -> Encoded:
    return encode_sft(rows, tokens, settings.max_length, settings.reward_temperature)


def build(parts: Parts) -> Any:
    args = SFTConfig(dataset_kwargs={"skip_prepare_dataset": True}, **parts.common)
    trainer = WeightedSFT(parts.model, args, PadSFT(parts.tokens.pad_id), **parts.options)
    if parts.settings.mask_inputs:
        trainer.mask_inputs, trainer.mask_seed = parts.settings.mask_inputs, parts.seed
        trainer.hole = hole_id(parts.tokens.tokenizer)
    if parts.settings.packing:
        with trainer.accelerator.autocast():
            why = packing_refused(trainer.model, parts.rows, parts.tokens.pad_id)
        if why:
            log.warning("rows are not packed: %s", why)
        else:
            trainer.data_collator = PackSFT(parts.tokens.pad_id, parts.settings.max_length)
    return trainer


class WeightedSFT(Counting, AtomicCheckpoints, PerUpdate, SFTTrainer):
    """Loss: sum over trained tokens of weight x NLL, per trained token of the whole update."""

    mask_inputs = 0.0
    mask_seed = 0
    hole = 0

    def counts(self, inputs: dict[str, Any]) -> torch.Tensor:
        return (inputs["labels"][:, 1:] != IGNORED).sum()[None]

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        weight, place = inputs.pop("weight"), inputs.pop("place")
        self.count(inputs)
        (trained,) = self.per_update(inputs, num_items_in_batch)
        if self.mask_inputs:
            key = self.mask_seed * 2**32 + self.state.global_step  # no row comes twice in one update
            inputs["input_ids"] = with_holes(
                inputs["input_ids"], inputs["labels"], place, self.mask_inputs, key, self.hole
            )
        if "position_ids" in inputs:
            inputs.pop("attention_mask")  # or positions would not keep packed rows apart
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)
        return (weight[:, 1:] * -outputs.log_probs).sum() / trained  # zero on ignored positions
