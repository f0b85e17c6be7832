"""Calibration: how often what was said with a confidence is right; a perfect source stays on the diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.metrics.charts.scale import Tick, place

LEFT, RIGHT, TOP, BELOW = 11.0, 96.0, 14.0, 30.0
SMALLEST, LARGEST = 3.0, 11.0  # radius in pixels


@dataclass(frozen=True, slots=True)
class Bin:
    """``n`` items said with about this confidence, and the share of them that was right."""

    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Dot:
    bin: Bin
    x: float
    y: float
    r: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """``across``: the ticks of the confidence (their ``y`` is an x in per cent). The diagonal runs from
    (left, bottom) to (right, top)."""

    height: int
    left: float
    right: float
    top: float
    bottom: float
    ticks: list[Tick]
    across: list[Tick]
    dots: list[Dot]
    line: str


def reliability(bins: Sequence[Bin], *, height: int = 280) -> Reliability | None:
    """Both axes run from 0 to 1; a dot's area is in proportion to its n. None without any item."""
    filled = sorted((b for b in bins if b.n), key=lambda b: b.confidence)
    if not filled:
        return None
    bottom = height - BELOW
    most = max(b.n for b in filled)
    dots = [
        Dot(
            b,
            _x(b.confidence),
            place((b.accuracy,), TOP, bottom, 0, 1)[0],
            round(max(SMALLEST, LARGEST * (b.n / most) ** 0.5), 2),
        )
        for b in filled
    ]
    quarters = (0.0, 0.25, 0.5, 0.75, 1.0)
    return Reliability(
        height=height,
        left=LEFT,
        right=RIGHT,
        top=TOP,
        bottom=bottom,
        ticks=[Tick(place((q,), TOP, bottom, 0, 1)[0], f"{100 * q:g} %") for q in quarters],
        across=[Tick(_x(q), f"{100 * q:g} %") for q in quarters],
        dots=dots,
        line=" ".join(f"{d.x},{d.y}" for d in dots),
    )


def _x(share: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * min(max(share, 0.0), 1.0), 2)
