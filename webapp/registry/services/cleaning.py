"""Garbage collection: weights nothing needs any more. What a lineage needs is never touched.

A row is marked first, in a transaction that holds the project's lock and looks again; its folder goes after
the commit. A folder is renamed before it is removed and looked at once more in between, so that whoever
stores or registers the same content meanwhile keeps it.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from webapp.projects.models import Project
from webapp.projects.services import audit_record
from webapp.registry.keeping import SPENT, Weights, removable
from webapp.registry.models import Evaluation, ModelVersion
from webapp.registry.signals import versions_needed

GRACE = timedelta(days=1)  # whoever stores a folder registers it within minutes


@dataclass(frozen=True, slots=True)
class Spent:
    """Something that may go, or went: what it is, its name, its size, why it is not needed."""

    kind: str
    name: str
    bytes: int
    why: str


def weights_clean(*, project: Project, now: datetime, delete: bool) -> list[Spent]:
    """Weights of held and control versions older than the project keeps them.

    Without ``delete`` it is only said what would go. The rows stay, with ``weights_removed_at``.
    """
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        days = project.keep_weights_days
        if days is None:
            return []
        versions = _removable(project, now - timedelta(days=days))
        spent = [
            Spent("weights", v.name, v.weights_bytes, f"{v.status} and older than {days} days")
            for v in versions
        ]
        if delete and versions:
            ids = [v.pk for v in versions]
            ModelVersion.objects.filter(pk__in=ids).update(weights_removed_at=now)
            audit_record(
                project=project,
                actor=None,
                verb="weights removed",
                target=", ".join(v.name for v in versions),
                data={"bytes": sum(v.weights_bytes for v in versions)},
            )
            paths = {v.adapter_path for v in versions}
            transaction.on_commit(lambda: _adapters_remove(paths, now), robust=True)
    return spent


def _removable(project: Project, before: datetime) -> list[ModelVersion]:
    rows = {v.pk: v for v in ModelVersion.objects.filter(project=project).order_by("number")}
    if not any(v.status in SPENT and v.adapter_path and not v.weights_removed_at for v in rows.values()):
        return []
    pinned = {project.champion_id}
    pinned |= {v.pk for v in rows.values() if v.status == ModelVersion.Status.CHAMPION}
    pinned |= set(
        Evaluation.objects.filter(model_version__project=project, done=False).values_list(
            "model_version_id", flat=True
        )
    )
    for _, needed in versions_needed.send(sender=Project, project=project):
        pinned |= set(cast(Iterable[int], needed))
    elsewhere = _live().exclude(project=project).values_list("adapter_path", flat=True)
    mine = {v.adapter_path for v in rows.values()}
    weights = [
        Weights(v.pk, v.parent_id, v.status, v.created_at, "" if v.weights_removed_at else v.adapter_path)
        for v in rows.values()
    ]
    shared = set(elsewhere.filter(adapter_path__in=mine))
    gone = removable(weights, before=before, pinned={p for p in pinned if p}, shared=shared)
    return [v for pk, v in rows.items() if pk in gone]


def _live() -> QuerySet[ModelVersion]:
    return ModelVersion.objects.exclude(adapter_path="").filter(weights_removed_at=None)


def adapters_clean(*, now: datetime, delete: bool) -> list[Spent]:
    """Adapters in the store that no version has, and what an interrupted copy left behind."""
    root: Path = settings.ADAPTERS_DIR
    known = set(_live().values_list("adapter_path", flat=True))
    orphans = [p for p in folders(root) if p.name not in known and old(p, now - GRACE)]
    spent = [Spent("adapter", p.name, size_of(p), "no version has it") for p in orphans]
    if delete:
        _adapters_remove((p.name for p in orphans), now)
    return spent + leftovers_clean(root=root, now=now, delete=delete)


def _adapters_remove(paths: Iterable[str], now: datetime) -> None:
    for path in paths:
        wanted = _live().filter(adapter_path=path)
        folder_remove(settings.ADAPTERS_DIR / path, before=now - GRACE, wanted=wanted.exists)


def leftovers_clean(*, root: Path, now: datetime, delete: bool) -> list[Spent]:
    """Folders that were being written or removed (``.*.tmp``) when their process ended, a day ago or more."""
    left = [p for p in root.glob(".*.tmp") if p.is_dir() and old(p, now - GRACE)] if root.is_dir() else []
    spent = [Spent("leftover", p.name, size_of(p), "never finished") for p in left]
    if delete:
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
    return spent


def folder_remove(folder: Path, *, before: datetime, wanted: Callable[[], bool] = lambda: False) -> bool:
    """Remove a folder, unless it was touched since ``before`` or somebody wants it; says whether it went."""
    if not folder.is_dir() or not old(folder, before) or wanted():
        return False
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    try:
        folder.rename(aside)
    except FileNotFoundError:  # another one was faster
        return False
    # From here on nobody finds it. Who found it before has touched it, or has registered it by now.
    if not old(aside, before) or wanted():
        try:
            aside.rename(folder)
        except OSError:  # the same content was stored anew meanwhile
            shutil.rmtree(aside, ignore_errors=True)
        return False
    shutil.rmtree(aside, ignore_errors=True)
    return True


def folders(root: Path) -> Iterator[Path]:
    """The finished folders of a store."""
    if root.is_dir():
        yield from (p for p in sorted(root.iterdir()) if p.is_dir() and not p.name.startswith("."))


def old(path: Path, before: datetime) -> bool:
    try:
        return path.stat().st_mtime < before.timestamp()
    except FileNotFoundError:
        return False


def size_of(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
