"""Evaluations: one version on one fixed list of prompts, its outcomes, closed once all are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from webapp.registry.models import Evaluation, EvaluationOutcome, ModelVersion


def prompts_sha(prompt_ids: Iterable[int], sampling: Mapping[str, Any]) -> str:
    """Identity of an evaluation set: the ordered prompt ids and how answers are sampled."""
    text = ",".join(map(str, prompt_ids)) + repr(sorted(sampling.items()))
    return sha256(text.encode()).hexdigest()


def evaluation_for(
    *, version: ModelVersion, split: str, sha: str, sampling: Mapping[str, Any], size: int
) -> Evaluation:
    """The evaluation row of this version on this set of ``size`` prompts, made on first use."""
    evaluation, _ = Evaluation.objects.get_or_create(
        model_version=version,
        split=split,
        prompts_sha=sha,
        defaults={"sampling": dict(sampling), "size": size, "done": size == 0},
    )
    return evaluation


def outcomes_store(*, evaluation: Evaluation, outcomes: Iterable[tuple[int, str, str | None]]) -> None:
    """Store (prompt id, verdict, response id) rows; a repeat changes nothing."""
    EvaluationOutcome.objects.bulk_create(
        [
            EvaluationOutcome(evaluation=evaluation, prompt_id=p, verdict=v, response_id=r)
            for p, v, r in outcomes
        ],
        ignore_conflicts=True,
        batch_size=2000,
    )


def evaluation_finish_if_complete(*, evaluation: Evaluation) -> bool:
    """Close the evaluation once every prompt has its outcome. True when this call or an earlier one did."""
    # Two workers that stored outcomes both hold a key lock on this row: a full lock would make each wait
    # for the other.
    locked = Evaluation.objects.select_for_update(no_key=True).get(pk=evaluation.pk)
    verdicts = list(locked.outcomes.values_list("verdict", flat=True))
    if len(verdicts) < locked.size:
        return False
    locked.n = len(verdicts)
    locked.right = verdicts.count("right")
    # What could not be checked is not a score.
    locked.errors = verdicts.count("error") + verdicts.count("unknown")
    locked.done = True
    locked.save(update_fields=["n", "right", "errors", "done"])
    return True
