"""Group relative policy optimisation with a checker's word as reward (Shao et al., 2024, arXiv:2402.03300).

The model writes a group of solutions per prompt; each is pushed up or down by how far its reward lies from
its group's mean. TRL's trainer does the rest, without a pull to a reference (its own default).

TRL's text handling is passed by: prompts go in as the ids the engine would meet, and what is checked is read
from the sampled ids by the project's dialect.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from trl import GRPOConfig, GRPOTrainer

from loop.dialects import Dialect, dialect_named
from loop.evaluate.outcomes import outcome_of
from loop.model import Completion
from loop.recipe_parts import FinetunePart
from loop.records import Message, Prompt, TrainRow
from loop.sample import response_from
from loop.verify import check
from workers.engines.tokens import ChatTokens
from workers.trainers.checkpoints import AtomicCheckpoints
from workers.trainers.encode import Encoded
from workers.trainers.objectives import Parts
from workers.trainers.objectives._counting import Counting


def encode(rows: Sequence[TrainRow], tokens: ChatTokens, settings: FinetunePart) -> Encoded:
    """``prompt`` (its number, as text), ``context_ids`` and ``task`` (what its checker reads, as JSON).

    Raises:
        ValueError: an update does not hold whole groups, or a row names no checker or dialect.
    """
    update = settings.batch_size * settings.grad_accum
    if update % settings.group:
        raise ValueError(
            f"an update of {update} samples (finetune.batch_size x grad_accum) does not hold whole groups of"
            f" {settings.group}; make it a multiple of finetune.group"
        )
    out = Encoded()
    for row in rows:
        if not row.verifier or not row.dialect:
            raise ValueError(f"prompt {row.prompt_id} names no checker or no dialect: nothing can reward it")
        context = tokens.prompt_ids(row.messages)
        if len(context) + settings.max_new_tokens > settings.max_length:
            out.dropped["too_long"] += 1
            continue
        task = {k: getattr(row, k) for k in ("prompt_id", "reference", "verifier", "meta", "dialect")}
        out.rows.append(
            {"prompt": str(len(out.rows)), "context_ids": context, "task": json.dumps(task | _question(row))}
        )
    return out


def _question(row: TrainRow) -> dict[str, Any]:
    return {"messages": [[m.role, m.content] for m in row.messages]}


def build(parts: Parts) -> Any:
    s = parts.settings
    args = GRPOConfig(
        num_generations=s.group,
        max_completion_length=s.max_new_tokens,
        temperature=s.temperature,
        beta=0.0,
        **{k: v for k, v in parts.common.items() if k != "max_length"},
    )
    trainer = VerifiedGRPO(parts.model, reward_funcs=_unused, args=args, **parts.options)
    trainer.tokens = parts.tokens
    trainer.contexts = {row["prompt"]: row["context_ids"] for row in parts.rows}
    trainer.tasks = {row["prompt"]: Task(json.loads(row["task"])) for row in parts.rows}
    # The turn may end in other tokens than the tokenizer's own.
    trainer.eos_token_ids = sorted(parts.tokens.end_ids)
    trainer.generation_config.eos_token_id = trainer.eos_token_ids
    trainer.generation_kwargs["eos_token_id"] = trainer.eos_token_ids
    return trainer


def _unused(**_: Any) -> list[float]:
    raise AssertionError("rewards come from VerifiedGRPO._calculate_rewards")


class Task:
    """A prompt, and how an answer to it is judged."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.dialect: Dialect = dialect_named(data["dialect"])
        self.prompt = Prompt(
            data["prompt_id"],
            tuple(Message(role, content) for role, content in data["messages"]),
            reference=data["reference"],
            verifier=data["verifier"],
            meta=json.loads(data["meta"] or "{}"),
        )

    def outcome(self, text: str) -> bool | None:
        """Right, wrong (also where no answer can be read), or None: the checker could not tell."""
        response = response_from(self.dialect, "", self.prompt, "", Completion(text))
        return outcome_of(check(self.prompt, response).verdict, response)


class VerifiedGRPO(Counting, AtomicCheckpoints, GRPOTrainer):
    """TRL's GRPO on our ids and our checkers: reward 1 for right, 0 for wrong.

    A sample that could not be checked gets the mean of its group's others, so that it pushes nothing.
    """

    tokens: ChatTokens
    contexts: dict[str, list[int]]
    tasks: dict[str, Task]

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [self.contexts[p] for p in prompts], None, {}

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        # TRL decodes what was written, to log it; the run takes the tokenizer away (see `Run._trainer`).
        self.processing_class = self.tokens.tokenizer
        try:
            return super()._generate_and_score_completions(inputs)
        finally:
            self.processing_class = None

    def _calculate_rewards(
        self, inputs: Any, prompts: list[str], completions: Any, completion_ids_list: list[list[int]]
    ) -> torch.Tensor:
        outcomes = [
            self.tasks[p].outcome(self.tokens.decode(ids, self.contexts[p]))
            for p, ids in zip(prompts, completion_ids_list, strict=True)
        ]
        rewards = torch.tensor(rewards_of(prompts, outcomes), device=self.accelerator.device)
        gathered: torch.Tensor = self.accelerator.gather(rewards[:, None])
        return gathered

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        self.count({"attention_mask": torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)})
        loss: torch.Tensor = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return loss


def rewards_of(prompts: Sequence[str], outcomes: Sequence[bool | None]) -> list[float]:
    """One reward per sample; ``prompts`` says which are of one group."""
    known: dict[str, list[float]] = defaultdict(list)
    for prompt, outcome in zip(prompts, outcomes, strict=True):
        if outcome is not None:
            known[prompt].append(float(outcome))
    means = {prompt: sum(values) / len(values) for prompt, values in known.items()}
    return [
        means.get(prompt, 0.0) if outcome is None else float(outcome)
        for prompt, outcome in zip(prompts, outcomes, strict=True)
    ]
