"""Rows of a model on their way into PostgreSQL by COPY."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import orjson
from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import Field, ForeignKey, Model

from webapp import copying
from webapp.projects.models import Project

_PACKED: dict[str, Callable[[Any], bytes]] = {
    "CharField": copying.text,
    "TextField": copying.text,
    "JSONField": lambda value: copying.jsonb(orjson.dumps(value)),
    "BooleanField": copying.boolean,
    "SmallIntegerField": copying.int2,
    "PositiveSmallIntegerField": copying.int2,
    "IntegerField": copying.int4,
    "PositiveIntegerField": copying.int4,
    "BigIntegerField": copying.int8,
    "BigAutoField": copying.int8,
    "FloatField": copying.float8,
    "UUIDField": lambda value: copying.uuid(value.bytes),
    "DateTimeField": copying.timestamptz,
    "DateField": copying.date,
}
_ARRAYS: dict[str, Callable[[Any], bytes]] = {
    "UUIDField": lambda values: copying.uuids([v.bytes for v in values]),
    "SmallIntegerField": copying.int2s,
    "PositiveSmallIntegerField": copying.int2s,
    "IntegerField": copying.int4s,
    "FloatField": copying.float8s,
}


class Rows:
    """Rows that share all but a few columns: the shared part, defaults included, is packed once."""

    def __init__(self, model: type[Model], columns: Sequence[str], shared: Mapping[str, Any]) -> None:
        meta = model._meta
        rest = [
            f
            for f in meta.concrete_fields
            if f.name not in columns and (f.name in shared or not f.primary_key)
        ]
        by_name = {f.name: f for f in meta.concrete_fields}
        names = [str(f.column) for f in (*(by_name[name] for name in columns), *rest)]
        quoted = ", ".join(f'"{name}"' for name in names)
        self._sql = f"COPY {meta.db_table} ({quoted}) FROM STDIN (FORMAT BINARY)"
        self._head = copying.fields(len(names))
        self._tail = b"".join(_packed(f, shared.get(f.name, f.get_default())) for f in rest)
        self._parts: list[bytes] = []

    def add(self, *parts: bytes) -> None:
        """One row: its own columns, packed, in order."""
        self._parts.append(b"%s%s%s" % (self._head, b"".join(parts), self._tail))

    @staticmethod
    def packed(field: Field[Any, Any], value: Any) -> bytes:
        """A value of one of the model's columns, packed."""
        return _packed(field, value)

    def write(self, cursor: Any) -> None:
        """Store what was added since the last time."""
        if not self._parts:
            return
        with cursor.copy(self._sql) as copy:
            copy.write(copying.HEADER + b"".join(self._parts) + copying.TRAILER)
        self._parts = []


def _packed(field: Field[Any, Any], value: Any) -> bytes:
    if value is None:
        return copying.NULL
    if isinstance(field, ForeignKey):
        return _packed(field.target_field, value)
    if isinstance(field, ArrayField):
        return _ARRAYS[field.base_field.get_internal_type()](value)
    return _PACKED[field.get_internal_type()](value)


def ids_take(cursor: Any, model: type[Model], wanted: int) -> Iterable[int]:
    """That many new primary keys, ascending."""
    cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')::regclass::oid", [model._meta.db_table])
    (sequence,) = cursor.fetchone()
    cursor.execute(
        "SELECT min(id), max(id), CASE WHEN max(id) - min(id) >= count(*) THEN array_agg(id) END"
        " FROM (SELECT nextval(%s::oid::regclass) AS id FROM generate_series(1, %s))",
        [sequence, wanted],
    )
    first, last, apart = cursor.fetchone()
    if apart is not None:  # somebody else took some meanwhile
        return sorted(apart)
    return range(first, last + 1) if wanted else ()


Guard = Callable[..., AbstractContextManager[None]]


def references_are_ours(project: Project, *models: type[Model]) -> Guard:
    """A context manager for COPY of rows whose parents are in the same COPY or known.

    PostgreSQL checks every reference of every row on its own, which costs as much as storing the rows. A
    role that may say so (the embedded server's may) loads them unchecked, as restoring a dump does; what
    they refer to beside each other is locked here instead, as the checks would lock it: families, prompts
    and responses by key. Other roles, and tables with triggers of their own, are loaded the ordinary way.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM projects_project WHERE id = %s FOR KEY SHARE", [project.pk])
        cursor.execute(
            "SELECT has_parameter_privilege('session_replication_role', 'SET') AND NOT EXISTS (SELECT 1 FROM"
            " pg_trigger WHERE NOT tgisinternal AND tgrelid = ANY(%s::regclass[]))",
            [[m._meta.db_table for m in models]],
        )
        may = cursor.fetchone()[0]

    @contextmanager
    def guard(cursor: Any, families: set[str], prompts: set[int], responses: set[bytes]) -> Iterator[None]:
        if not may:
            yield
            return
        _lock(
            cursor,
            "projects_promptfamily WHERE project_id = %s AND family = ANY(%s)",
            [project.pk, list(families)],
        )
        _lock(cursor, "projects_prompt WHERE id = ANY(%s)", [list(prompts)])
        _lock(cursor, "traces_response WHERE id = ANY(%s::uuid[])", [[r.hex() for r in responses]])
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = origin")

    return guard


class ParentGone(RuntimeError):
    """A row that new ones refer to was deleted while they were imported."""


def _lock(cursor: Any, rows: str, values: list[Any]) -> None:
    keys = values[-1]
    if not keys:
        return
    cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM {rows} ORDER BY id FOR KEY SHARE) locked", values)  # noqa: S608
    if cursor.fetchone()[0] != len(keys):
        raise ParentGone("Something that the file refers to was deleted meanwhile; import it again.")
