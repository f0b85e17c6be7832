"""Reads of the registry."""

from __future__ import annotations

from webapp.registry.models import Evaluation, EvaluationOutcome, ModelVersion


def evaluation_for_work(pk: int) -> Evaluation:
    return Evaluation.objects.select_related("model_version__project").get(pk=pk)


def evaluation_of(version: ModelVersion, split: str, sha: str) -> Evaluation | None:
    """The finished evaluation of a version on exactly this set, if there is one."""
    return Evaluation.objects.filter(model_version=version, split=split, prompts_sha=sha, done=True).first()


def outcome_rows(evaluation: Evaluation) -> list[tuple[int, str, str, str | None]]:
    """(prompt id, verdict, finish, answer) of every outcome, by prompt."""
    return list(
        EvaluationOutcome.objects.filter(evaluation=evaluation)
        .order_by("prompt_id")
        .values_list("prompt_id", "verdict", "response__finish", "response__answer")
    )
