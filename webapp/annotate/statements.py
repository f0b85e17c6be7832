"""Statements that are planned once per connection: those behind what people do all the time.

Django sends every statement as text, and PostgreSQL plans each anew. For the statements of a claim and an
answer, each a few index probes, planning takes longer than running.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models
from psycopg import Cursor
from psycopg.types.numeric import Int8

M = TypeVar("M", bound=models.Model)
Values = Mapping[str, Any] | Sequence[Any]


class _Planned(Cursor[Any]):
    def execute(self, query: Any, params: Any = None, **_: Any) -> Any:
        return super().execute(query, params, prepare=True)


def row_of(statement: str, values: Values) -> tuple[Any, ...] | None:
    """The first row of the result, None when it is empty. Counted and wrapped as Django's own queries are."""
    with connection.wrap_database_errors:
        connection.close_if_health_check_failed()
        connection.ensure_connection()
        planned = connection._prepare_cursor(_Planned(connection.connection))  # type: ignore[attr-defined]
    with planned as cursor:
        cursor.execute(statement, _sized(values))
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found


def _sized(values: Values) -> Values:
    """All integers of one size: by default each size of number makes another statement to plan."""
    if isinstance(values, Mapping):
        return {name: Int8(one) if type(one) is int else one for name, one in values.items()}
    return [Int8(one) if type(one) is int else one for one in values]


@cache
def columns_of(model: type[models.Model], alias: str) -> str:
    """Every column of the model, named: with ``*`` a new column would upset statements already planned."""
    quote = connection.ops.quote_name
    return ", ".join(f"{alias}.{quote(str(field.column))}" for field in model._meta.concrete_fields)


def instance_of(model: type[M], values: Sequence[Any]) -> M:
    """The row whose first columns are those of `columns_of`."""
    fields = model._meta.concrete_fields
    read = []
    for field, value in zip(fields, values[: len(fields)], strict=True):
        convert = getattr(field, "from_db_value", None)
        read.append(convert(value, None, connection) if convert else value)
    return model.from_db(connection.alias, [field.attname for field in fields], read)
