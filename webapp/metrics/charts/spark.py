"""A history small enough for a table's row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from webapp.metrics.charts.scale import place

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
    ends = [
        e for value, low, high in values if value is not None for e in (value, low, high) if e is not None
    ]
    if not ends:
        return None
    ends = list(within or ends)
    last = max(i for i, v in enumerate(values) if v[0] is not None)
    step = (WIDTH - 2 * EDGE) / max(len(values) - 1, 1)
    xs = [round(WIDTH - EDGE - step * (len(values) - 1 - i), 2) for i in range(len(values))]
    spark = Spark(WIDTH, HEIGHT, [], [], xs[last], _y(values[last][0], ends), label)
    for there, group in groupby(range(len(values)), key=lambda i: values[i][0] is not None):
        run = list(group)
        if not there or len(run) < 2:
            continue
        spark.lines.append(" ".join(f"{xs[i]},{_y(values[i][0], ends)}" for i in run))
        sure = [i for i in run if values[i][1] is not None and values[i][2] is not None]
        if len(sure) > 1:
            above = [f"{xs[i]},{_y(values[i][2], ends)}" for i in sure]
            below = [f"{xs[i]},{_y(values[i][1], ends)}" for i in reversed(sure)]
            spark.bands.append(" ".join(above + below))
    return spark


def _y(value: float | None, ends: Sequence[float]) -> float:
    assert value is not None
    if min(ends) == max(ends):
        return HEIGHT / 2
    return place((value,), EDGE, HEIGHT - EDGE, min(ends), max(ends))[0]
