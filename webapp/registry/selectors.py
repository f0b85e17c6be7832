"""Reads of the registry."""

from __future__ import annotations

from loop.records import Split, Verdict
from webapp.registry.models import Evaluation, EvaluationOutcome, ModelVersion

OutcomeRow = tuple[int, str, str, str | None]


def evaluation_for_work(pk: int) -> Evaluation:
    return Evaluation.objects.select_related("model_version__project").get(pk=pk)


def evaluation_of(version: ModelVersion, split: str, sha: str) -> Evaluation | None:
    """The finished evaluation of a version on exactly this set, if there is one."""
    return Evaluation.objects.filter(model_version=version, split=split, prompts_sha=sha, done=True).first()


def outcome_rows(evaluation: Evaluation) -> list[OutcomeRow]:
    """(prompt id, verdict, finish, answer) of every outcome, by prompt."""
    return list(
        EvaluationOutcome.objects.filter(evaluation=evaluation)
        .order_by("prompt_id")
        .values_list("prompt_id", "verdict", "response__finish", "response__answer")
    )


OUTCOME = {Verdict.RIGHT.value: True, Verdict.WRONG.value: False}


def outcomes_by_prompt(rows: list[OutcomeRow]) -> dict[str, bool | None]:
    """Prompt id -> right, wrong, or None where it could not be scored."""
    return {str(prompt): OUTCOME.get(verdict) for prompt, verdict, _, _ in rows}


def heldout_outcomes(version: ModelVersion) -> dict[str, bool | None]:
    """Outcomes of a version's latest finished held-out evaluation.

    Raises:
        Evaluation.DoesNotExist: it was never measured.
    """
    evaluation = Evaluation.objects.filter(
        model_version=version, split=Split.HELDOUT.value, done=True
    ).latest("id")
    return outcomes_by_prompt(outcome_rows(evaluation))
