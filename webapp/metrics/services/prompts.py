"""What each prompt contributed to an iteration's figures: the way from a number down to its rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from loop.evaluate.samples import Bools, Floats
from loop.evaluate.sampling import best_of, votes
from loop.finetune.objectives import SCORER_ROLES
from webapp.iterations.models import Iteration
from webapp.metrics.models import PromptFigures
from webapp.metrics.samples import Sampled

LIKED = (*reversed(SCORER_ROLES), "self_verdict", "logprob")  # whose choice counts, the first there is


def prompts_write(*, iteration: Iteration, sampled: Sampled) -> None:
    """A row for each prompt; what was there before is replaced, but for what curation said."""
    samples = sampled.samples
    vote = votes(samples)
    scorer = next((samples.scorers[name] for name in LIKED if name in samples.scorers), None)
    best = np.full(samples.prompts, np.nan) if scorer is None else best_of(samples, scorer)
    columns = {
        "samples": samples.drawn.astype(int).tolist(),
        "scored": samples.scored.astype(int).tolist(),
        "right": samples.solved.astype(int).tolist(),
        "answers": vote.answers.astype(int).tolist(),
        "majority": _settled(np.where(vote.answers.any(), vote.right, np.nan)),
        "best": _settled(best),
        "tokens": [None if np.isnan(mean) else mean for mean in samples.mean(samples.tokens).tolist()],
    }
    _upsert(iteration, sampled, columns)


def prompts_keep(*, iteration: Iteration, sampled: Sampled, kept: Bools) -> None:
    """How many of each prompt's samples are learned from."""
    _upsert(iteration, sampled, {"kept": sampled.samples.sum(kept).astype(int).tolist()})


def _settled(outcome: Floats) -> list[bool | None]:
    """Right or wrong; None where it could not be scored or a tie leaves it open."""
    return [{0.0: False, 1.0: True}.get(value) for value in outcome.tolist()]


def _upsert(iteration: Iteration, sampled: Sampled, columns: dict[str, list[Any]]) -> None:
    rows = [
        PromptFigures(iteration=iteration, prompt_id=prompt_id, **dict(zip(columns, values, strict=True)))
        for prompt_id, *values in zip(sampled.prompt_ids.tolist(), *columns.values(), strict=True)
    ]
    PromptFigures.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["iteration", "prompt"],
        update_fields=list(columns),
        batch_size=2000,
    )
