"""Training rows as JSON lines: what CURATE writes and a trainer reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from loop.records import TrainRow

_ROW = TypeAdapter(TrainRow)


def dump_rows(rows: Iterable[TrainRow], path: Path) -> str:
    """Write one row per line; returns the sha256 of the file (`TrainJob.rows_sha256`)."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for row in rows:
            line = _ROW.dump_json(row) + b"\n"
            digest.update(line)
            file.write(line)
    return digest.hexdigest()


def load_rows(path: Path, sha256: str = "") -> list[TrainRow]:
    """Read the rows back.

    Raises:
        ValueError: a line that is no row (which, and why), or content other than ``sha256`` says.
        FileNotFoundError: no such file.
    """
    content = path.read_bytes()
    if sha256 and hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{path.name} is not the file the job was made with: its sha256 differs")
    rows = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            rows.append(_ROW.validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(
                f"{path.name} line {number}: {where + ': ' if where else ''}{first['msg']}"
            ) from error
    return rows
