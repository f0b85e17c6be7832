"""Rows that belong together in one statement, not one each: it is what a person waits for on every answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Model

from webapp.annotate.statements import row_of


def rows_insert(first: Model, refer: str = "", *others: Model) -> None:
    """Insert ``first`` and then ``others``, whose foreign key named ``refer`` is to be its key.

    As ``save`` does, but for signals: defaults and times are filled in, and ``first`` gets its key.
    """
    columns, values = _values(first)
    parts = [f"made AS (INSERT INTO {_table(first)} ({columns}) VALUES ({_marks(values)}) RETURNING id)"]  # noqa: S608
    for number, row in enumerate(others):
        names, found = _values(row, without=refer)
        column = connection.ops.quote_name(f"{refer}_id")
        parts.append(
            f"also{number} AS (INSERT INTO {_table(row)} ({column}, {names})"  # noqa: S608
            f" SELECT made.id, {_marks(found)} FROM made)"
        )
        values += found
    made = row_of(f"WITH {', '.join(parts)} SELECT id FROM made", values)  # noqa: S608
    assert made is not None
    first.pk = made[0]
    first._state.adding = False


def _table(row: Model) -> str:
    return connection.ops.quote_name(row._meta.db_table)


def _marks(values: list[Any]) -> str:
    return ", ".join(["%s"] * len(values))


def _values(row: Model, without: str = "") -> tuple[str, list[Any]]:
    names, fields = _columns(type(row), without)
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
    return names, values


@cache
def _columns(model: type[Model], without: str) -> tuple[str, list[Any]]:
    left_out = {model._meta.auto_field, model._meta.get_field(without) if without else None}
    fields = [field for field in model._meta.concrete_fields if field not in left_out]
    return ", ".join(connection.ops.quote_name(str(field.column)) for field in fields), fields
