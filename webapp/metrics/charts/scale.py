"""What all drawings share: round ticks, and values put at heights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log10

from webapp.metrics.templatetags.numbers import tick_text


@dataclass(frozen=True, slots=True)
class Tick:
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Values low..high put at heights bottom..top, in pixels."""

    low: float
    high: float
    top: float
    bottom: float
    ticks: list[Tick] = field(default_factory=list)

    def y(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(self.bottom - share * (self.bottom - self.top), 2)


def nice_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers that cover [low, high]."""
    size = max(abs(low), abs(high))
    span = 1.0 if size < 1e-4 else max(high - low, 0.0)
    if span < 1e-4 * size:  # as good as one value: the axis shows its size instead
        span = size
    raw = span / about
    unit = 10 ** floor(log10(raw))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= raw * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def place(values: Sequence[float], top: float, bottom: float, low: float, high: float) -> list[float]:
    span = (high - low) or 1.0
    return [round(bottom - (v - low) / span * (bottom - top), 2) for v in values]


def ticks_of(low: float, high: float, unit: str, top: float, bottom: float, about: int = 4) -> Scale:
    """Round ticks over [low, high] and where they stand between two heights, in pixels."""
    values = nice_ticks(low, high, about)
    scale = Scale(values[0], values[-1], top, bottom)
    scale.ticks.extend(Tick(scale.y(v), tick_text(v, unit)) for v in values)
    return scale


def every_nth(count: int, most: int) -> int:
    """Labels of ``count`` places that have room for ``most``: one of how many is written."""
    return max(1, ceil(count / most))
