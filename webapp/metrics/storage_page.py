"""How much lies where: disk, folders, weights, tables. Nothing is counted in large tables: their size is
PostgreSQL's own estimate.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Sum

from webapp.metrics.models import StorageUse
from webapp.registry.models import ModelVersion

FEW_BYTES = 0.05  # of the disk left
MOST = 8  # rows of a table


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    rows: int  # PostgreSQL's estimate; -1: never counted
    bytes: int


@dataclass(frozen=True, slots=True)
class Disk:
    free: int
    total: int

    @property
    def used(self) -> int:
        """Reserved space included: nobody else may write there."""
        return self.total - self.free

    @property
    def low(self) -> bool:
        return self.free < FEW_BYTES * self.total


@dataclass(frozen=True, slots=True)
class Storage:
    disk: Disk
    places: list[StorageUse]
    weights: list[Any]  # project, slug, versions, bytes
    database: int
    tables: list[Table]

    @property
    def measured_at(self) -> datetime | None:
        return max((place.measured_at for place in self.places), default=None)


# Sizes are asked of a few tables alone: each costs a look at every file it has.
_TABLES = """
SELECT pg_database_size(current_database()), relname, reltuples::bigint, pg_total_relation_size(oid)
FROM (
    SELECT oid, relname, reltuples FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relpages DESC LIMIT %s
) largest ORDER BY 4 DESC
"""


def storage_read() -> Storage:
    usage = shutil.disk_usage(settings.VAR_DIR)
    with connection.cursor() as cursor:
        cursor.execute(_TABLES, [MOST])
        rows = cursor.fetchall()
    tables = [Table(name, count, size) for _size, name, count, size in rows]
    return Storage(
        disk=Disk(usage.free, usage.total),
        places=list(StorageUse.objects.order_by("-bytes")),
        weights=list(_weights()),
        database=rows[0][0] if rows else 0,
        tables=tables,
    )


def _weights() -> Iterable[Any]:
    """Bytes of weights that are kept, by project, largest first."""
    kept = ModelVersion.objects.filter(weights_removed_at=None, weights_bytes__gt=0).order_by()
    by_project = kept.values("project__slug", "project__name")
    sums = by_project.annotate(versions=Count("pk"), bytes=Sum("weights_bytes"))
    return sums.order_by("-bytes")[:MOST]
