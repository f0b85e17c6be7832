"""What machine work leaves behind: checkpoints of finished runs, merged models nobody fetched."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings

from loop.stages import Status
from webapp.iterations.models import Iteration, WorkUnit
from webapp.projects.models import Project
from webapp.registry.services.cleaning import (
    GRACE,
    Spent,
    adapters_clean,
    folder_remove,
    folders,
    leftovers_clean,
    old,
    size_of,
    weights_clean,
)

log = structlog.get_logger()
State = WorkUnit.State
OVER = (Status.DONE.value, Status.CANCELLED.value)
OPEN = (State.QUEUED, State.RUNNING)
PARTS = ("checkpoints", "checkpoints.tmp", "adapter", "adapter.tmp")  # input, curve and log stay
HASH = 17  # characters that follow the run's name in its folder's


def storage_clean(*, now: datetime, delete: bool, project: Project | None = None) -> list[Spent]:
    """Everything that may go, or of the weights of one project only; with ``delete`` it goes."""
    projects = [project] if project else Project.objects.order_by("id")
    spent = [s for p in projects for s in weights_clean(project=p, now=now, delete=delete)]
    if project is None:
        spent += adapters_clean(now=now, delete=delete)
        spent += exports_clean(now=now, delete=delete)
        spent += runs_clean(now=now, delete=delete)
    if delete:
        for one in spent:
            log.info("removed", **asdict(one))
    return spent


def versions_at_work(project: Project) -> set[int]:
    """Versions that an iteration or unit of the project that is not over refers to."""
    ids: set[int | None] = set()
    for row in (
        Iteration.objects.filter(project=project)
        .exclude(status__in=OVER)
        .values_list("champion_id", "challenger_id", "scorer_id")
    ):
        ids.update(row)
    payloads = WorkUnit.objects.filter(project=project, state__in=[*OPEN, State.FAILED], iteration=None)
    for payload in payloads.values_list("payload", flat=True):
        ids.update(_named(payload))
    return {pk for pk in ids if pk}


def _named(payload: dict[str, Any]) -> set[int]:
    return {v for k, v in payload.items() if k.endswith("version_id") and isinstance(v, int)}


def exports_clean(*, now: datetime, delete: bool) -> list[Spent]:
    """Merged models older than they are kept; who asks again has them made again."""
    root: Path = settings.EXPORTS_DIR
    before = now - timedelta(days=settings.EXPORT_DAYS)
    gone = [p for p in folders(root) if old(p, before)]
    spent = [
        Spent("export", p.name, size_of(p), f"made more than {settings.EXPORT_DAYS} days ago") for p in gone
    ]
    if delete:
        for path in gone:
            folder_remove(path, before=before)
    return spent + leftovers_clean(root=root, now=now, delete=delete)


def runs_clean(*, now: datetime, delete: bool) -> list[Spent]:
    """Checkpoints of runs whose adapter is in the store, or whose iteration was given up."""
    unfinished = _unfinished_runs()
    spent = []
    for folder in folders(settings.RUNS_DIR):
        if folder.name[:-HASH] in unfinished or not old(folder, now - GRACE):
            continue
        parts = [folder / name for name in PARTS if (folder / name).is_dir()]
        if not parts:
            continue
        size = sum(size_of(p) for p in parts)
        spent.append(Spent("run", folder.name, size, "its run is over"))
        if delete:
            for part in parts:
                shutil.rmtree(part, ignore_errors=True)
    return spent


def _unfinished_runs() -> set[str]:
    """Names of runs that may go on from their checkpoints: waiting, at work, failed, cancelled by hand."""
    units = WorkUnit.objects.filter(kind="train").exclude(state=State.DONE)
    units = units.exclude(iteration__status__in=OVER)
    rows = units.values_list("project__slug", "iteration__number", "payload__name")
    return {f"{slug}-{number}" if number is not None else str(name) for slug, number, name in rows}
