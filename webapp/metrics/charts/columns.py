"""Columns: a histogram, or amounts side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.metrics.charts.scale import Scale, Tick, every_nth, ticks_of
from webapp.metrics.templatetags.numbers import written

LEFT, RIGHT, TOP, BELOW = 9.0, 98.0, 24.0, 26.0
LABELS = 12
VALUES = 10  # so many short values fit above their columns


@dataclass(frozen=True, slots=True)
class Column:
    """``words`` is what it says to who points at it."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    href: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """One column as placed: x and width in per cent, heights in pixels; ``middle``: x of its label."""

    column: Column
    x: float
    width: float
    middle: float
    y: float
    tall: float
    label: str
    value: str
    value_y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    height: int
    base: float
    ticks: list[Tick]
    columns: list[Standing]


def columns(given: Sequence[Column], unit: str, *, height: int = 210, valued: int = VALUES) -> Columns | None:
    """From left to right, all from zero; None without columns. With more than ``valued``, values are in the
    table alone."""
    if not given:
        return None
    ends = [0.0, *(e for c in given for e in (c.value, c.low, c.high) if e is not None)]
    scale = ticks_of(min(ends), max(ends), unit, TOP, height - BELOW)
    room = (RIGHT - LEFT) / len(given)
    step = every_nth(len(given), LABELS)
    placed = [_stand(c, i, room, scale, unit, step, len(given) <= valued) for i, c in enumerate(given)]
    return Columns(height, scale.y(0), scale.ticks, placed)


def _stand(
    column: Column, index: int, room: float, scale: Scale, unit: str, step: int, valued: bool
) -> Standing:
    width = min(room * 0.8, 12.0)
    middle = LEFT + room * (index + 0.5)
    top, bottom = sorted((scale.y(column.value), scale.y(0)))
    sure = column.low is not None and column.high is not None
    high = scale.y(column.high) if column.high is not None and sure else None
    return Standing(
        column=column,
        x=round(middle - width / 2, 2),
        width=round(width, 2),
        middle=round(middle, 2),
        y=top,
        tall=round(bottom - top, 2),
        label=column.label if index % step == 0 else "",
        value=written(column.value, unit) if valued else "",
        value_y=min(top, high) if high is not None else top,
        low=scale.y(column.low) if column.low is not None and sure else None,
        high=high,
    )
