"""Measuring a model version outside any iteration."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F

from webapp.iterations.models import WorkUnit
from webapp.iterations.selectors import OPEN_STATES
from webapp.iterations.services.stages import PROMPTS_PER_EVALUATION, slices
from webapp.iterations.services.units import evaluation_units_add
from webapp.registry import services as registry
from webapp.registry.models import Evaluation, ModelVersion


@transaction.atomic
def evaluation_start(
    *, version: ModelVersion, split: str, prompt_ids: list[int], sampling: dict[str, Any]
) -> tuple[Evaluation, list[WorkUnit]]:
    """Queue what is missing to measure ``version`` on these prompts; a finished one is returned as is, and
    what was queued before is not queued again."""
    sha = registry.prompts_sha(prompt_ids, sampling)
    evaluation = registry.evaluation_for(
        version=version, split=split, sha=sha, sampling=sampling, size=len(prompt_ids)
    )
    if evaluation.done:
        return evaluation, []
    asked = WorkUnit.objects.filter(
        project=version.project_id, iteration=None, kind="evaluate", payload__evaluation_id=evaluation.pk
    )
    if waiting := list(asked.filter(state__in=OPEN_STATES)):
        return evaluation, waiting
    payloads = [
        {"evaluation_id": evaluation.pk, "version_id": version.pk, "prompt_ids": part}
        for part in slices(prompt_ids, PROMPTS_PER_EVALUATION)
    ]
    return evaluation, evaluation_units_add(project=version.project, payloads=payloads)


def evaluation_cost_add(*, evaluation: Evaluation, seconds: float, tokens: int) -> None:
    """Add a unit's machine time and the tokens it wrote; in the transaction that completes the unit."""
    Evaluation.objects.filter(pk=evaluation.pk).update(
        seconds=F("seconds") + seconds, tokens=F("tokens") + tokens
    )
