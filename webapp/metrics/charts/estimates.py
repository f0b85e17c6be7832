"""One quantity estimated in several ways: each with its 95 % interval, below each other on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from webapp.metrics.charts.scale import Tick, nice_ticks
from webapp.metrics.templatetags.numbers import tick_text, written, written_interval

LEFT, RIGHT = 4.0, 96.0
ROW, TOP, BELOW = 46, 8, 28
Look = Literal["best", "plain", "doubtful"]


@dataclass(frozen=True, slots=True)
class Estimated:
    """``look``: the estimate to go by is filled, another hollow, one that may be biased a hollow square."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""
    look: Look = "plain"


@dataclass(frozen=True, slots=True)
class Row:
    estimated: Estimated
    words_y: float
    y: float
    x: float
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Estimates:
    """``band``: x and width in per cent of the best one's interval, drawn behind all rows."""

    height: int
    bottom: float
    ticks: list[Tick]
    rows: list[Row]
    band: tuple[float, float] | None


def estimates(given: Sequence[Estimated], unit: str) -> Estimates | None:
    """Rows from top to bottom; the axis spans what is there. None without rows."""
    if not given:
        return None
    ends = [e for one in given for e in (one.value, one.low, one.high) if e is not None]
    ticks = nice_ticks(min(ends), max(ends), 4)

    def x(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - ticks[0]) / (ticks[-1] - ticks[0]), 2)

    rows = []
    for i, one in enumerate(given):
        sure = one.low is not None and one.high is not None
        text = written(one.value, unit) + (f" ({written_interval(one.low, one.high, unit)})" if sure else "")
        low = None if one.low is None or not sure else x(one.low)
        high = None if one.high is None or not sure else x(one.high)
        rows.append(Row(one, TOP + ROW * i + 14, TOP + ROW * i + 28, x(one.value), low, high, text))
    best = next((r for r in rows if r.estimated.look == "best"), None)
    band = None
    if best is not None and best.low is not None and best.high is not None:
        band = (best.low, round(best.high - best.low, 2))
    bottom = TOP + ROW * len(rows)
    return Estimates(bottom + BELOW, bottom, [Tick(x(t), tick_text(t, unit)) for t in ticks], rows, band)
