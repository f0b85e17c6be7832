"""What each training objective learns from and what comes out of it. The losses are in workers.trainers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from loop.records import PAIR_KINDS, RowKind

ObjectiveName = Literal["sft", "dpo", "kto", "nft", "grpo", "reward", "prm"]
Role = Literal["policy", "reward", "process_reward"]
SCORER_ROLES: tuple[Role, ...] = ("reward", "process_reward")

TEXTS = frozenset(
    {
        RowKind.SAMPLE,
        RowKind.TRAJECTORY,
        RowKind.CRITIQUE,
        RowKind.REFINEMENT,
        RowKind.PARTIAL,
        RowKind.JUDGEMENT,
    }
)


@dataclass(frozen=True, slots=True)
class Objective:
    """``gives``: what the trained adapter makes of its base: a model that writes, or one that scores."""

    rows: frozenset[RowKind]
    gives: Role = "policy"


OBJECTIVES: dict[str, Objective] = {
    "sft": Objective(TEXTS | {RowKind.OUTCOME}),  # outcomes need finetune.reward_temperature
    "dpo": Objective(PAIR_KINDS),
    "kto": Objective(frozenset({RowKind.OUTCOME})),
    "nft": Objective(frozenset({RowKind.OUTCOME})),
    "grpo": Objective(frozenset({RowKind.PROMPT})),
    "reward": Objective(frozenset({RowKind.PREFERENCE}), gives="reward"),
    "prm": Objective(frozenset({RowKind.STEP_LABELS}), gives="process_reward"),
}
