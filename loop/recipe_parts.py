"""The parts of a recipe: what each stage of an iteration is told."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from math import inf
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from loop.annotate.order import policy_named
from loop.finetune.objectives import OBJECTIVES, ObjectiveName
from loop.records import RowKind
from loop.score import Over


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt setting is never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PromptsPart(Strict):
    """Which train prompts an iteration works on."""

    limit: int = Field(800, ge=1, description="at most this many train prompts, drawn by seed")


class AnnotatePart(Strict):
    """The human gate: what people are asked, and how much of it."""

    kind: Literal["step_critique", "preference", "critique_review", "none"] = "step_critique"
    take: int = Field(40, ge=0, description="how many annotation tasks to make")
    overlap: int = Field(1, ge=1, le=5, description="different people per task")
    critiques: Literal[1, 2] = Field(
        1, description="critique_review only: 1 is accepted, edited or rejected; of 2 the better is chosen"
    )
    order: str = Field("convincing_wrong", description="a policy of loop/annotate/order")
    show_model_critique: bool = True
    show_reference: bool = False

    @field_validator("order")
    @classmethod
    def _order_is_known(cls, name: str) -> str:
        try:
            return policy_named(name).name
        except LookupError as error:
            raise ValueError(str(error)) from error


# Who accepted a row; "replayed" is any row of an earlier iteration.
Source = Literal["verifier", "self_verdict", "people", "scorer", "replayed"]


def _exact(share: float) -> Fraction:
    """The number as it was written: 0.1 is a tenth."""
    return Fraction(str(share))


class CuratePart(Strict):
    """Which products become examples, and the limits on them."""

    rows: tuple[RowKind, ...] = (RowKind.SAMPLE,)
    accept: Literal["verifier", "self_verdict", "people", "scorer"] = Field(
        "verifier",
        description="what accepts a response nobody annotated: a checker, the model's own verdict, nothing,"
        " a trained scorer",
    )
    threshold: float = Field(0.5, description="accept scorer: the least score of an accepted response")
    soft_targets: bool = Field(
        False,
        description="preference rows: how much better people find the better side becomes the chance that it"
        " is (1/3 of the scale: 0.67, all of it: 1); else it is certain",
    )
    max_per_prompt: int = Field(10, ge=1, description="cap, so that easy prompts do not dominate")
    replay: Literal["none", "all"] = Field("none", description="also earlier iterations' accepted examples")
    continuations: int = Field(4, ge=0, description="tries to finish a trajectory from the good prefix")
    replay_share: float | None = Field(
        None, gt=0, lt=1, description="at most this share of the dataset is replayed, drawn by seed"
    )
    max_age: int | None = Field(
        None, ge=0, description="leave out rows whose response is older than this many champions"
    )
    shares: dict[Source, float] = Field(
        default_factory=dict,
        description="wanted shares of the rows by source, e.g. people: 0.5; larger sources are thinned out",
    )
    weights: dict[Source, float] = Field(
        default_factory=dict, description="a row's weight in the loss is multiplied by its source's"
    )
    max_rows_per_prompt: int | None = Field(
        None,
        ge=1,
        description="at most this many rows of one prompt, over all kinds and with what is replayed",
    )
    leak_ngram: int = Field(
        8, ge=0, description="length in words of the runs that are compared with held-out prompts; 0: off"
    )
    leak_share: float = Field(
        0.7,
        gt=0,
        le=1,
        description="leave out rows of a prompt that holds this share of a held-out prompt's runs",
    )

    @model_validator(mode="after")
    def _shares_can_be_reached(self) -> CuratePart:
        if any(share < 0 or share > 1 for share in self.shares.values()):
            raise ValueError("shares: each must lie within 0 and 1")
        if sum(map(_exact, self.shares.values())) > 1:
            raise ValueError("shares: together they must not exceed 1")
        if self.shares and self.replay_share is not None:
            raise ValueError("replay_share and shares: give the share of what is replayed in shares")
        if any(not 0 <= weight < inf for weight in self.weights.values()):
            raise ValueError("weights: each must be a number that is not negative")
        return self


class FinetunePart(Strict):
    """A LoRA run. ``start`` names the weights the adapter starts from (ReST-EM, SELF restart: base)."""

    objective: ObjectiveName = "sft"
    start: Literal["base", "champion"] = "base"
    epochs: float = Field(2, gt=0, description="passes over the rows")
    learning_rate: float = Field(
        1e-3, gt=0, description="of AdamW at its peak; 0.001 suits a few million parameters, 0.0001 billions"
    )
    batch_size: int = Field(16, ge=1, description="rows at once, over all devices; halved if they do not fit")
    grad_accum: int = Field(1, ge=1, description="batches before each update of the weights")
    max_length: int = Field(512, ge=16, description="tokens; longer rows are dropped and counted, never cut")
    lora_rank: int = Field(
        16,
        ge=1,
        description="size of the adapter: more can learn more, and overfit more; one that is gone on from"
        " keeps its own",
    )
    lora_alpha: int = Field(
        32,
        ge=1,
        description="the adapter counts alpha / rank; twice the rank is usual; one that is gone on from keeps"
        " its own",
    )
    packing: bool = Field(False, description="sft: several rows in one sequence, where that is exact")
    mask_inputs: float = Field(
        0.0, ge=0, lt=1, description="sft: chance that a token the model reads is masked (masked thought)"
    )
    reward_temperature: float | None = Field(
        None, gt=0, description="sft: outcome rows weigh exp(reward / this) (reward-weighted regression)"
    )
    beta: float = Field(0.1, gt=0, description="dpo, kto: strength of the pull to the reference")
    loss: Literal["sigmoid", "ipo", "sppo"] = Field("sigmoid", description="dpo: which pairwise loss")
    label_smoothing: float = Field(
        0.0, ge=0, lt=0.5, description="dpo: chance that a label is wrong (conservative DPO)"
    )
    sft_weight: float = Field(0.0, ge=0, description="dpo: weight of the added NLL on the chosen side")
    margin: float = Field(0.0, ge=0, description="reward: how far apart the two sides are asked to be")
    center: float = Field(
        0.0,
        ge=0,
        description="reward: pull of each pair's two rewards to a sum of zero (TRL: 0.01)",
    )
    desirable_weight: float = Field(1.0, ge=0, description="kto")
    undesirable_weight: float = Field(1.0, ge=0, description="kto")
    negative_weight: float = Field(
        1.0, ge=0, description="nft: weight of wrong samples; 0 is rejection sampling"
    )
    group: int = Field(8, ge=2, description="grpo: samples per prompt")
    temperature: float = Field(1.0, gt=0, description="grpo: of its samples")
    max_new_tokens: int = Field(160, ge=1, description="grpo: of its samples")
    min_rows: int = Field(16, ge=1, description="fewer rows than this: the iteration ends without training")


def meant_for(description: str, objectives: Collection[str]) -> bool:
    """Whether a setting is for one of these objectives: its description may name some before a colon."""
    named, colon, _rest = description.partition(":")
    words = {word.strip() for word in (named if colon else description).split(",")}
    return not words <= OBJECTIVES.keys() or bool(words & set(objectives))


def heeded_by(objective: str) -> list[str]:
    """Names of the fine-tuning settings that mean something to this objective."""
    fields = FinetunePart.model_fields.items()
    return [name for name, info in fields if meant_for(info.description or "", {objective})]


class EvaluatePart(Strict):
    limit: int = Field(2000, ge=1, description="at most this many held-out prompts")
    max_new_tokens: int = Field(160, ge=1)
    best_of: int = Field(8, ge=2, description="a scorer's: samples per prompt that it picks from")
    temperature: float = Field(0.8, gt=0, description="a scorer's: of those samples")
    over: Over = Field("min", description="a process reward model's: what of its steps' chances counts")


class GatePart(Strict):
    """When a challenger replaces the champion."""

    min_prompts: int = Field(200, ge=1, description="fewer paired held-out prompts than this: hold")
    min_effect: float = Field(0.0, ge=0, le=1, description="least gain on held-out (0.02 = 2 points)")
    alpha: float = Field(0.05, gt=0, lt=1, description="two-sided McNemar level")
    guard_tolerance: float = Field(0.05, ge=0, le=1, description="most a guard may fall")
    guard_alpha: float = Field(
        0.05, gt=0, lt=1, description="one-sided level at which a fall of a guard or slice is taken for real"
    )
    hold_on_slices: bool = Field(
        True, description="hold when a slice of the held-out prompts really fell, whatever the total did"
    )
    min_slice: int = Field(20, ge=1, description="smaller slices are not tested")
    against_base: bool = Field(True, description="it must beat the bare base as well as the champion")
    shots: int = Field(
        4, ge=0, le=16, description="accepted examples in the no-training baseline's prompt; 0: no baseline"
    )
    beat_baseline: bool = Field(
        False, description="hold a challenger that does not beat the no-training baseline, too"
    )
    slices: int = Field(
        1, ge=1, le=1000, description="held-out prompts are cut into this many parts, used in turn"
    )
    uses_per_slice: int | None = Field(
        None,
        ge=1,
        description="decisions a held-out prompt is good for; when none is left the gate asks for new ones",
    )
    blind_pairs: int = Field(
        0, ge=0, description="people compare this many pairs blindly before the decision"
    )
    blind_share: float = Field(0.5, ge=0, le=1, description="least share of them that the challenger wins")
    max_token_ratio: float | None = Field(
        None, gt=0, description="hold a challenger whose answers are longer than this times the champion's"
    )
