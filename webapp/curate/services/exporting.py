"""A dataset version out of the house, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from loop.curate.formats import NOTES, format_names, written
from webapp.curate.models import DatasetVersion
from webapp.curate.services.freezing import dataset_stream

PIECE = 64 * 1024  # bytes handed on at once


class DatasetExportError(ValueError):
    """An export that cannot be made; the message says why."""


@dataclass(slots=True)
class Tally:
    """What an export did, complete once its lines are read."""

    read: int = 0
    written: int = 0
    left_out: int = 0  # rows of kinds that the format has no place for


def dataset_lines(*, dataset: DatasetVersion, name: str, tally: Tally | None = None) -> Iterator[bytes]:
    """The version's rows as JSON lines in the format called ``name``, in pieces; memory does not grow.

    Raises:
        DatasetExportError: no such format, at once.
        LookupError: at the first piece, when the version is not what was frozen.
    """
    if name not in format_names():
        raise DatasetExportError(f"There is no format {name!r}; there are: {', '.join(format_names())}.")
    return _pieces(dataset, name, tally or Tally())


def _pieces(dataset: DatasetVersion, name: str, tally: Tally) -> Iterator[bytes]:
    gathered, size = [], 0
    for row in dataset_stream(dataset=dataset):
        made = written(name, row)
        tally.read += 1
        tally.written += len(made)
        tally.left_out += not made
        for one in made:
            line = orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE)
            gathered.append(line)
            size += len(line)
        if size >= PIECE:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)


def export_manifest(*, dataset: DatasetVersion, name: str, tally: Tally) -> dict[str, Any]:
    """What is written beside an export."""
    return {
        "project": dataset.project.slug,
        "dataset": dataset.number,
        "sha256": dataset.sha256,
        "format": name,
        "rows": tally.read,
        "written": tally.written,
        "left_out": tally.left_out,
        "notes": list(NOTES[name]),
        "manifest": dataset.manifest,
    }
