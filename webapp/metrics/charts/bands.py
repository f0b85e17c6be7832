"""Estimates in order, with whiskers, and a band through the champions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.metrics.charts.scale import Tick, nice_ticks, place


@dataclass(frozen=True, slots=True)
class Measured:
    """One estimate with its 95 % interval, to be placed on a chart. ``kind`` picks the mark."""

    label: str
    value: float
    low: float
    high: float
    kind: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    measured: Measured
    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bands:
    """Estimates in order, whiskers for all, and a band through those that became champion."""

    height: int
    ticks: list[Tick]
    marks: list[Mark]
    line: str
    band: str


def bands(measured: Sequence[Measured], height: int = 210) -> Bands:
    """Shares (0 to 1) from left to right. The last 26 pixels are for the labels below."""
    if not measured:
        return Bands(height, [], [], "", "")
    ticks = nice_ticks(min(m.low for m in measured), max(m.high for m in measured))
    ends = (24.0, height - 26.0, ticks[0], ticks[-1])
    marks = []
    for i, m in enumerate(measured):
        x = 50.0 if len(measured) == 1 else 13 + 79 * i / (len(measured) - 1)
        y, low, high = place((m.value, m.low, m.high), *ends)
        marks.append(Mark(m, round(x, 2), y, low, high))
    champions = [m for m in marks if m.measured.kind == "champion"]
    return Bands(
        height=height,
        ticks=[Tick(y, f"{100 * t:g} %") for t, y in zip(ticks, place(ticks, *ends), strict=True)],
        marks=marks,
        line=" ".join(f"{m.x},{m.y}" for m in champions),
        band=" ".join(
            [f"{m.x},{m.high}" for m in champions] + [f"{m.x},{m.low}" for m in reversed(champions)]
        ),
    )
