"""What worker processes say of themselves, and how much lies in the folders of the state."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from webapp.metrics.models import StorageUse, WorkerBeat

FORGOTTEN_AFTER = timedelta(days=1)
TOLD = (
    "queue", "host", "pid", "unit", "done", "failed", "memory", "devices", "recent", "started_at", "seen_at",
)  # fmt: skip


def worker_beat(
    *,
    name: str,
    queue: str,
    host: str,
    pid: int,
    started_at: datetime,
    seen_at: datetime,
    unit_id: int | None = None,
    done: int = 0,
    failed: int = 0,
    memory: int = 0,
    devices: Sequence[dict[str, Any]] = (),
    recent: Sequence[Sequence[float | None]] = (),
) -> None:
    """Note how a process is. One statement; see `WorkerBeat` for what the fields hold."""
    row = WorkerBeat(
        name=name,
        queue=queue,
        host=host,
        pid=pid,
        unit_id=unit_id,
        done=done,
        failed=failed,
        memory=memory,
        devices=list(devices),
        recent=[list(point) for point in recent],
        started_at=started_at,
        seen_at=seen_at,
    )
    WorkerBeat.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["name"], update_fields=list(TOLD)
    )


def worker_leave(*, name: str) -> None:
    """A process ended in good order: nobody needs to look for it."""
    WorkerBeat.objects.filter(name=name).delete()


def beats_clean(*, now: datetime) -> int:
    """Forget processes not seen for a day; returns how many."""
    return WorkerBeat.objects.filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()[0]


def storage_measure(*, now: datetime) -> None:
    """Walk the folders of the state and note their sizes: takes as long as there are files."""
    places = {"adapters": settings.ADAPTERS_DIR, "runs": settings.RUNS_DIR, "exports": settings.EXPORTS_DIR}
    rows = []
    for place, folder in places.items():
        size, files = _size(folder)
        rows.append(StorageUse(place=place, bytes=size, files=files, measured_at=now))
    StorageUse.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["place"],
        update_fields=["bytes", "files", "measured_at"],
    )


def _size(folder: Path) -> tuple[int, int]:
    """Bytes and files below a folder; what goes away meanwhile is not counted."""
    size = files = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                size += Path(root, name).lstat().st_size
            except OSError:
                continue
            files += 1
    return size, files
