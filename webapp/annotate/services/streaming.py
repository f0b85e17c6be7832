"""Rows out of PostgreSQL as a stream: constant memory, and all of one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from struct import unpack_from
from typing import Any

from django.db import connection, transaction

from webapp.copying import HEADER


@contextmanager
def one_moment() -> Iterator[Any]:
    """A cursor whose queries all see the database at one moment."""
    nested = connection.in_atomic_block  # of a caller, who has looked already
    with transaction.atomic(), connection.cursor() as cursor:
        if not nested:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield cursor


def copied(cursor: Any, query: str) -> Iterator[bytes]:
    """The query's one column of text, a line each, by binary COPY: nothing escaped, nothing gathered."""
    with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy:
        start = len(HEADER)  # in front of the first row; then two bytes of count and four of length each
        for block in copy:
            if unpack_from("!h", block, start)[0] == 1:
                yield bytes(block[start + 6 :]) + b"\n"
            start = 0
