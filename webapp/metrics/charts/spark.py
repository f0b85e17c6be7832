"""A history small enough for a table's row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from webapp.metrics.charts.scale import Scale

WIDTH, HEIGHT, EDGE = 112, 26, 4
Estimate = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class Spark:
    """In pixels. ``label`` says it in words."""

    width: int
    height: int
    lines: list[str]
    bands: list[str]
    last_x: float
    last_y: float
    label: str


def sparkline(
    values: Sequence[Estimate], label: str = "", within: tuple[float, float] | None = None
) -> Spark | None:
    """(value, low, high) from the oldest to the newest; None values leave gaps. None without any value.

    ``within``: what the height stands for; by default what the values span.
    """
    known = [v for v in values if v[0] is not None]
    if not known:
        return None
    ends = within or [e for estimate in known for e in estimate if e is not None]
    low, high = min(ends), max(ends)
    y = Scale(low, high, EDGE, HEIGHT - EDGE).y if low < high else lambda _value: HEIGHT / 2
    step = (WIDTH - 2 * EDGE) / max(len(values) - 1, 1)
    xs = [round(WIDTH - EDGE - step * (len(values) - 1 - i), 2) for i in range(len(values))]
    lines, bands = [], []
    last_x, last_y = 0.0, 0.0
    for run in _runs(values):
        line = [(xs[i], y(value)) for i, (value, _low, _high) in run]
        last_x, last_y = line[-1]
        if len(line) > 1:
            lines.append(_path(line))
        above = [(xs[i], y(e[2])) for i, e in run if e[1] is not None and e[2] is not None]
        below = [(xs[i], y(e[1])) for i, e in run if e[1] is not None and e[2] is not None]
        if len(above) > 1:
            bands.append(_path([*above, *reversed(below)]))
    return Spark(WIDTH, HEIGHT, lines, bands, last_x, last_y, label)


def _runs(values: Sequence[Estimate]) -> Iterator[list[tuple[int, Any]]]:
    """Neighbours that have a value, with their places."""
    for there, run in groupby(enumerate(values), key=lambda v: v[1][0] is not None):
        if there:
            yield list(run)


def _path(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in corners)
