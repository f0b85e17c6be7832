"""Reads of the iterations app."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from loop.recipe import Recipe, recipe_parse
from loop.recipe_parts import FinetunePart
from loop.stages import Stage, Status
from webapp.annotate.models import TaskPurpose
from webapp.annotate.selectors import iteration_progress
from webapp.curate.models import DatasetVersion
from webapp.iterations.models import Iteration, Transition, WorkUnit
from webapp.projects.models import Project
from webapp.registry.models import Evaluation, ModelVersion

OPEN_STATES = (WorkUnit.State.QUEUED, WorkUnit.State.RUNNING)


def compared_blindly(project: Project) -> bool:
    """Whether people choose between two models' answers: whose they are must not be told now."""
    waiting = Iteration.objects.filter(project=project, stage=Stage.PROMOTE.value)
    return waiting.exclude(status__in=[Status.DONE.value, Status.CANCELLED.value]).exists()


def unit_for_work(unit_id: int) -> WorkUnit:
    """A unit with everything its executor reads, in one query."""
    return WorkUnit.objects.select_related(
        "project",
        "iteration__project",
        "iteration__champion",
        "iteration__challenger",
        "iteration__dataset_version",
    ).get(pk=unit_id)


@dataclass(frozen=True)
class Training:
    """What a training run or a preview is made of, wherever it was asked for."""

    dataset: DatasetVersion
    finetune: FinetunePart
    start: ModelVersion | None  # whose weights it goes on from; None: a fresh adapter on the base
    seed: int


def training_of(unit: WorkUnit) -> Training:
    """Of an iteration: as its recipe says. By itself: as its payload says.

    Raises:
        DatasetVersion.DoesNotExist, ModelVersion.DoesNotExist: deleted since it was asked for.
    """
    if (iteration := unit.iteration) is not None:
        part, champion, dataset = recipe_of(iteration).finetune, iteration.champion, iteration.dataset_version
        assert champion is not None
        assert dataset is not None
        start = _with_weights(champion) if part.start == "champion" else None
        return Training(dataset, part, start, iteration.seed)
    payload = unit.payload
    pk = payload.get("start_version_id")
    return Training(
        DatasetVersion.objects.get(pk=payload["dataset_id"], project=unit.project_id),
        FinetunePart.model_validate(payload["finetune"]),
        _with_weights(ModelVersion.objects.get(pk=pk, project=unit.project_id)) if pk else None,
        payload.get("seed", 0),
    )


def _with_weights(version: ModelVersion) -> ModelVersion | None:
    """The version, unless it is the bare base, which has no weights of its own to go on from."""
    return version if version.adapter_path else None


def recipe_of(iteration: Iteration) -> Recipe:
    """The recipe as it was when the iteration started."""
    return recipe_parse(iteration.recipe, f"{iteration}, recipe {iteration.recipe_name}")


@dataclass(frozen=True, slots=True)
class WeightsUnits:
    """The latest work on a version's weights: the check of an import, the merged model."""

    inspect: WorkUnit | None
    export: WorkUnit | None

    @property
    def moving(self) -> bool:
        return any(unit is not None and unit.state in OPEN_STATES for unit in (self.inspect, self.export))


def weights_units(version: ModelVersion) -> WeightsUnits:
    latest = {
        unit.kind: unit
        for unit in WorkUnit.objects.filter(
            project=version.project_id,
            iteration=None,
            kind__in=["inspect", "export"],
            payload__version_id=version.pk,
        ).order_by("id")
    }
    return WeightsUnits(latest.get("inspect"), latest.get("export"))


@dataclass(frozen=True, slots=True)
class Measuring:
    """The work that makes two versions comparable. Prompts; ``moving``: some of it is still to be done."""

    moving: bool
    done: int
    total: int
    error: str  # of what failed last, where nothing is under way any more


def measuring_of(before: ModelVersion, after: ModelVersion, split: str) -> Measuring | None:
    """Where the measuring of both on the same prompts stands; None where there is none to be done."""
    versions: dict[str, set[int]] = defaultdict(set)
    missing: dict[str, set[int]] = defaultdict(set)
    asked = Evaluation.objects.filter(model_version__in=(before, after), split=split)
    for pk, version, sha, done in asked.values_list("pk", "model_version_id", "prompts_sha", "done"):
        versions[sha].add(version)
        if not done:
            missing[sha].add(pk)
    wanted = [pk for sha, evaluations in missing.items() if len(versions[sha]) == 2 for pk in evaluations]
    if not wanted:
        return None
    units = WorkUnit.objects.filter(
        project=before.project_id, kind="evaluate", payload__evaluation_id__in=wanted
    ).order_by("id")
    rows = list(units.values_list("state", "done", "total", "error"))
    shown = [row for row in rows if row[0] in (*OPEN_STATES, WorkUnit.State.DONE)]
    moving = any(row[0] in OPEN_STATES for row in rows)
    failed = [row[3] for row in rows if row[0] == WorkUnit.State.FAILED]
    if not moving and not failed:
        return None
    error = "" if moving else failed[-1]
    return Measuring(moving, sum(row[1] for row in shown), sum(row[2] for row in shown), error)


def work_progress(iteration: Iteration) -> str:
    """One line that says where the iteration stands."""
    if iteration.status == "waiting":
        purpose = TaskPurpose.GATE if iteration.stage == Stage.PROMOTE.value else TaskPurpose.LABEL
        answers, wanted = iteration_progress(iteration, purpose)
        return f"{iteration} {iteration.stage}: {answers} of {wanted} answers"
    units = list(
        WorkUnit.objects.filter(iteration=iteration, stage=iteration.stage).values_list(
            "kind", "done", "total", "state"
        )
    )
    parts = []
    for kind in dict.fromkeys(k for k, *_ in units):
        mine = [u for u in units if u[0] == kind]
        done, total = sum(u[1] for u in mine), sum(u[2] for u in mine)
        finished = sum(u[3] == WorkUnit.State.DONE for u in mine)
        parts.append(f"{kind} {done}/{total}" if total else f"{kind} {finished}/{len(mine)} units")
    return f"{iteration} {iteration.stage}: {', '.join(parts) or iteration.status}"


def unclaimed(iteration: Iteration) -> bool:
    """Whether it has machine work and nobody has taken any of it yet, as when no worker runs."""
    states = list(iteration.units.values_list("attempt", flat=True))
    return bool(states) and not any(states)


def stage_seconds(iteration: Iteration) -> dict[str, float]:
    """Wall-clock seconds spent in each stage that was left, by the transition log."""
    seconds: dict[str, float] = {}
    since = iteration.created_at
    for move in Transition.objects.filter(iteration=iteration).order_by("id"):
        seconds[move.from_stage] = round((move.at - since).total_seconds(), 2)
        since = move.at
    return seconds


def iteration_report(iteration: Iteration) -> dict[str, Any]:
    """An iteration's outcome as plain data: what commands print and reports keep."""
    decision = iteration.decision or {}
    last = Transition.objects.filter(iteration=iteration).order_by("-id").first()
    return {
        "number": iteration.number,
        "recipe": iteration.recipe_name,
        "arm": iteration.arm,
        "seed": iteration.seed,
        "stage": iteration.stage,
        "status": iteration.status,
        "problem": iteration.problem,
        "heldout_before": decision.get("before"),
        "heldout_after": decision.get("after"),
        "n": decision.get("n"),
        "effect": decision.get("effect"),
        "ci95": decision.get("ci95"),
        "p_value": decision.get("p_value"),
        "promoted": decision.get("promote", False),
        "reasons": decision.get("reasons") or ([last.because] if last else []),
        "challenger": iteration.challenger.name if iteration.challenger else None,
        "counts": {("rejected" if k == "dropped" else k): v for k, v in iteration.counts.items()},
        "seconds": stage_seconds(iteration),
    }
