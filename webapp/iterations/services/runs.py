"""Training runs: one by itself, and what people do to any run: pause, resume, cancel, retry.

A run is a work unit of kind ``train``. One of an iteration trains what its recipe says and gives the
iteration's challenger; one by itself carries its settings in its payload and gives a registered version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from loop.finetune.objectives import OBJECTIVES
from loop.recipe_parts import FinetunePart
from loop.records import RowKind
from loop.stages import OPEN, Stage, Status
from webapp import broker
from webapp.accounts.models import User
from webapp.curate.models import DatasetVersion
from webapp.events import notify
from webapp.iterations.models import Iteration, Queue, WorkUnit
from webapp.iterations.services.steering import IterationError, iteration_retry
from webapp.projects.models import AuditEvent, Project
from webapp.registry import services as registry
from webapp.registry.models import ModelVersion

State = WorkUnit.State
TRAIN, PREVIEW = "train", "preview"
PREVIEWED = 8  # rows of a preview
BY_ITSELF = "run by itself"  # stands where a version of an iteration names its recipe


class RunError(Exception):
    """A request that does not fit the run's state or its input; the message says why."""


def run_name(unit: WorkUnit) -> str:
    """What people call a run: ``<project>-<iteration>``, or the name a run by itself was given."""
    if unit.iteration is not None:
        return f"{unit.project.slug}-{unit.iteration.number}"
    return str(unit.payload["name"])


def _audit(unit: WorkUnit, by: User | None, verb: str) -> None:
    AuditEvent.objects.create(
        project_id=unit.project_id, actor=by, verb=verb, target=run_name(unit), data={"unit": unit.pk}
    )
    notify(project_id=unit.project_id, iteration_id=unit.iteration_id, what="run")


@transaction.atomic
def run_start(
    *,
    project: Project,
    dataset: DatasetVersion,
    finetune: FinetunePart,
    start: ModelVersion | None,
    seed: int,
    by: User | None,
) -> WorkUnit:
    """Queue a run by itself, from ``start``'s weights or a fresh adapter on the base.

    Raises:
        RunError: the dataset is another project's, has rows the objective cannot learn from or too few,
            or ``start`` cannot be gone on from.
    """
    _refuse_dataset(project, dataset, finetune)
    if dataset.row_count < finetune.min_rows:
        raise RunError(
            f"{dataset} has {dataset.row_count} rows, and finetune.min_rows asks for {finetune.min_rows}"
        )
    if start is not None:
        _refuse_start(project, start)
    # Locked: of two runs started at once, the second counts the first.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    number = WorkUnit.objects.filter(project=project, iteration=None, kind=TRAIN).count() + 1
    unit = WorkUnit.objects.create(
        project=project,
        stage=Stage.FINETUNE.value,
        kind=TRAIN,
        queue=Queue.TRAIN,
        payload={
            "dataset_id": dataset.pk,
            "finetune": finetune.model_dump(mode="json"),
            "start_version_id": start.pk if start else None,
            "seed": seed,
            "name": f"{project.slug}-run-{number}",
        },
        asked_by=by,
        announced_at=timezone.now(),
    )
    _audit(unit, by, "run started")
    transaction.on_commit(lambda: broker.announce(Queue.TRAIN), robust=True)
    return unit


@transaction.atomic
def preview_start(
    *, project: Project, dataset: DatasetVersion, finetune: FinetunePart, by: User | None
) -> WorkUnit:
    """Ask a model worker what a run would train: sample rows with every passage marked (see the unit's
    ``result``: ``rows``, ``dropped``, ``ends_trained``, ``refusal``).

    Raises:
        RunError: as `run_start`, but for the number of rows.
    """
    _refuse_dataset(project, dataset, finetune)
    unit = WorkUnit.objects.create(
        project=project,
        stage=Stage.FINETUNE.value,
        kind=PREVIEW,
        queue=Queue.MODEL,
        payload={
            "dataset_id": dataset.pk,
            "finetune": finetune.model_dump(mode="json"),
            "rows": PREVIEWED,
        },
        asked_by=by,
        announced_at=timezone.now(),
    )
    transaction.on_commit(lambda: broker.announce(Queue.MODEL), robust=True)
    return unit


@transaction.atomic
def run_pause(*, unit: WorkUnit, by: User | None) -> None:
    """Hold the run. Whoever trains it writes a checkpoint at the end of the current update and gives it back.

    Raises:
        RunError: it has ended, or is paused already.
    """
    unit = _locked(unit)
    if unit.held or unit.state not in (State.QUEUED, State.RUNNING):
        raise RunError(f"{run_name(unit)} is {_state(unit)}; only a waiting or running run can be paused")
    WorkUnit.objects.filter(pk=unit.pk).update(held=True)
    _audit(unit, by, "run paused")


@transaction.atomic
def run_resume(*, unit: WorkUnit, by: User | None) -> None:
    """Let a paused run go on from its last checkpoint.

    Raises:
        RunError: it is not paused.
    """
    unit = _locked(unit)
    if not unit.held or unit.state not in (State.QUEUED, State.RUNNING):
        raise RunError(f"{run_name(unit)} is {_state(unit)}; only a paused run can be resumed")
    WorkUnit.objects.filter(pk=unit.pk).update(held=False, announced_at=None)
    _audit(unit, by, "run resumed")
    queue = unit.queue
    transaction.on_commit(lambda: broker.announce(queue), robust=True)


@transaction.atomic
def run_cancel(*, unit: WorkUnit, by: User | None) -> None:
    """End the run; its process is killed at the next heartbeat, its checkpoints stay for a retry.

    A run of an iteration fails with these words, and its iteration with it: retrying or cancelling the
    iteration is the next decision.

    Raises:
        RunError: it has ended already.
    """
    unit = _locked(unit)
    if unit.state not in (State.QUEUED, State.RUNNING):
        raise RunError(f"{run_name(unit)} is {_state(unit)}; there is nothing to cancel")
    why = f"the run was cancelled by {by.get_username()}" if by else "the run was cancelled"
    WorkUnit.objects.filter(pk=unit.pk).update(
        state=State.CANCELLED if unit.iteration_id is None else State.FAILED,
        token=None,
        leased_until=None,
        held=False,
        error=why,
        finished_at=timezone.now(),
    )
    if unit.iteration_id is not None:
        Iteration.objects.filter(pk=unit.iteration_id, status__in=[*OPEN, Status.PAUSED.value]).update(
            status=Status.FAILED.value, problem=f"{unit.stage} ({unit.kind}): {why}"
        )
    _audit(unit, by, "run cancelled")


@transaction.atomic
def run_retry(*, unit: WorkUnit, by: User | None) -> None:
    """Queue a failed or cancelled run again; it goes on from its last checkpoint.

    Raises:
        RunError: it has not failed, or its iteration cannot be retried.
    """
    # Of an iteration's run the project is locked first, as whoever retries the iteration does.
    unit = _locked(unit) if unit.iteration_id is None else _read(unit)
    if unit.state not in (State.FAILED, State.CANCELLED):
        raise RunError(f"{run_name(unit)} is {_state(unit)}; only a failed or cancelled run can be retried")
    if unit.iteration is not None:
        try:
            iteration_retry(iteration=unit.iteration, by=by)
        except IterationError as error:
            raise RunError(str(error)) from error
        return
    WorkUnit.objects.filter(pk=unit.pk).update(
        state=State.QUEUED,
        attempt=0,
        token=None,
        held=False,
        error="",
        finished_at=None,
        announced_at=timezone.now(),
    )
    _audit(unit, by, "run retried")
    queue = unit.queue
    transaction.on_commit(lambda: broker.announce(queue), robust=True)


def run_register(
    *,
    unit: WorkUnit,
    adapter_path: str,
    adapter_sha: str,
    hashes: Mapping[str, str],
    training: Mapping[str, Any],
) -> ModelVersion:
    """Register the adapter of a run by itself. Nothing is promoted: a person or a gate decides later.

    Called inside `unit_completion`.
    """
    project, payload = unit.project, unit.payload
    # Started from the bare base: that is its parent, made known now if nothing was before.
    registry.base_register(project=project)
    start = payload["start_version_id"]
    versions = project.model_versions.order_by("number")
    version = registry.model_register(
        project=project,
        status=ModelVersion.Status.REGISTERED,
        role=OBJECTIVES[payload["finetune"]["objective"]].gives,
        parent=versions.get(pk=start) if start else versions.first(),
        adapter_path=adapter_path,
        adapter_sha=adapter_sha,
        hashes=hashes,
        dataset_version=DatasetVersion.objects.get(pk=payload["dataset_id"]),
        recipe=BY_ITSELF,
        training=training,
    )
    AuditEvent.objects.create(
        project=project, actor=unit.asked_by, verb="run finished", target=run_name(unit),
        data={"unit": unit.pk, "model": version.name},
    )  # fmt: skip
    return version


def _read(unit: WorkUnit) -> WorkUnit:
    return WorkUnit.objects.select_related("project", "iteration").get(pk=unit.pk, kind=TRAIN)


def _locked(unit: WorkUnit) -> WorkUnit:
    WorkUnit.objects.select_for_update(of=("self",)).get(pk=unit.pk)
    return _read(unit)


def _state(unit: WorkUnit) -> str:
    return "paused" if unit.held and unit.state in (State.QUEUED, State.RUNNING) else str(unit.state)


def _refuse_dataset(project: Project, dataset: DatasetVersion, finetune: FinetunePart) -> None:
    if dataset.project_id != project.pk:
        raise RunError(f"{dataset} belongs to another project")
    kinds = {RowKind(kind) for kind in dataset.manifest.get("kinds", {})}
    can = OBJECTIVES[finetune.objective].rows
    if foreign := sorted(kinds - can):
        raise RunError(
            f"{finetune.objective} cannot train rows of {', '.join(foreign)}, which {dataset} has;"
            f" it trains {', '.join(sorted(can))}"
        )
    if finetune.objective == "sft" and RowKind.OUTCOME in kinds and finetune.reward_temperature is None:
        raise RunError("outcome rows are trained by sft only with a reward temperature")


def _refuse_start(project: Project, start: ModelVersion) -> None:
    if start.project_id != project.pk:
        raise RunError(f"{start.name} belongs to another project")
    if start.base != project.base:
        raise RunError(f"{start.name} is an adapter of {start.base}; the project's base is {project.base}")
    if start.weights_removed_at is not None:
        raise RunError(f"the weights of {start.name} were removed; start from another version")
    if start.role != ModelVersion.Role.POLICY:
        raise RunError(f"{start.name} is a scorer; a run starts from a model that writes")
