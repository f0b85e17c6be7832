"""Reads of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from loop.evaluate.rates import accuracy
from loop.finetune.artifacts import MANIFEST, ArtifactError, files_sha, read_manifest
from loop.records import Split, Verdict
from webapp.projects.models import Project
from webapp.registry.models import Evaluation, EvaluationOutcome, ModelVersion

IMPORTED = "imported"  # in place of a recipe's name: trained elsewhere


class RegistryError(Exception):
    """A registration, load or promotion that must not happen; the message says why."""


OutcomeRow = tuple[int, str, str, str | None]


def scorer_in_use(project: Project, role: str) -> ModelVersion | None:
    """The champion of a scoring role ("reward", "process_reward"), or None while there is none."""
    return ModelVersion.objects.filter(
        project=project, role=role, status=ModelVersion.Status.CHAMPION
    ).first()


def in_use(project: Project, role: str) -> ModelVersion | None:
    """The champion of any role; the policy's is the project's pointer."""
    return project.champion if role == ModelVersion.Role.POLICY else scorer_in_use(project, role)


def unusable(version: ModelVersion) -> str:
    """Why this version must not be put in use, in one sentence; empty where nothing is in the way."""
    if version.status == ModelVersion.Status.CONTROL:
        return f"{version.name} is a control arm; control arms are never promoted"
    if version.weights_removed_at is not None:
        return _gone(version)
    if version.recipe == IMPORTED and not version.canary:
        return f"{version.name} was imported and no worker has loaded it yet; wait until it is checked"
    if version.role != ModelVersion.Role.POLICY and not version.adapter_path:
        return f"{version.name} is a bare base model and cannot serve as {version.get_role_display().lower()}"
    return ""


def _gone(version: ModelVersion) -> str:
    when = f"{version.weights_removed_at:%Y-%m-%d}"
    return f"the weights of {version.name} were removed on {when} to save room; train or import it again"


def adapter_folder(version: ModelVersion) -> Path:
    """Where a version's adapter lies, its manifest compared with the registry's row.

    Whoever loads the folder compares the files with the manifest (`loop.finetune.artifacts.verified`), so
    the two together tie every byte to the row.

    Raises:
        RegistryError: removed, missing, or not the adapter that was registered.
    """
    if version.weights_removed_at is not None:
        raise RegistryError(_gone(version))
    folder: Path = settings.ADAPTERS_DIR / version.adapter_path
    if not version.adapter_path or not folder.is_dir():
        raise RegistryError(f"the adapter of {version.name} is missing: {folder}")
    try:
        found = files_sha(read_manifest(folder))
    except ArtifactError as error:
        raise RegistryError(f"the adapter of {version.name} cannot be used: {error}") from error
    if version.adapter_sha and found != version.adapter_sha:
        raise RegistryError(
            f"{folder / MANIFEST} is not the one {version.name} was registered with: it lists files with the"
            f" sha256 {found[:12]}…, the registry has {version.adapter_sha[:12]}…; restore the folder"
        )
    return folder


def version_for_work(pk: int) -> ModelVersion:
    return ModelVersion.objects.select_related("project").get(pk=pk)


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


@dataclass(slots=True)
class Measurement:
    """A finished evaluation with the 95 % interval of its accuracy."""

    evaluation: Evaluation
    value: float | None
    low: float | None
    high: float | None

    @property
    def bounds(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def tokens_per_answer(self) -> float | None:
        return self._each(self.evaluation.tokens)

    @property
    def seconds_per_answer(self) -> float | None:
        return self._each(self.evaluation.seconds)

    def _each(self, total: float) -> float | None:
        """Nothing where it was not noted, as in evaluations of long ago."""
        return total / self.evaluation.n if total and self.evaluation.n else None


def measurement_of(evaluation: Evaluation) -> Measurement:
    decided = evaluation.n - evaluation.errors
    rate = accuracy([True] * evaluation.right + [False] * (decided - evaluation.right))
    low, high = rate.ci95 or (None, None)
    return Measurement(evaluation, rate.value, low, high)


OUTCOME = {Verdict.RIGHT.value: True, Verdict.WRONG.value: False}


def outcomes_by_prompt(rows: list[OutcomeRow]) -> dict[str, bool | None]:
    """Prompt id -> right, wrong, or None where it could not be scored."""
    return {str(prompt): OUTCOME.get(verdict) for prompt, verdict, _, _ in rows}


def heldout_outcomes(version: ModelVersion) -> dict[str, bool | None]:
    """Outcomes of a version's latest finished held-out evaluation.

    Raises:
        Evaluation.DoesNotExist: it was never measured.
    """
    evaluation = (
        Evaluation.objects.bare()
        .filter(model_version=version, split=Split.HELDOUT.value, done=True)
        .latest("id")
    )
    return outcomes_by_prompt(outcome_rows(evaluation))
