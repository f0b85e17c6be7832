"""Amounts side by side, each made of parts that stand on each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.metrics.charts.scale import Tick, every_nth, ticks_of

LEFT, RIGHT, TOP, BELOW = 6.0, 99.0, 44.0, 26.0
LABELS = 8
NAME_X, NAME_Y = 86.0, 14.0  # pixels: four short names side by side fit a phone
MOST_PARTS = 4


@dataclass(frozen=True, slots=True)
class Part:
    series: int
    y: float
    tall: float


@dataclass(frozen=True, slots=True)
class Pile:
    """x and width in per cent, heights in pixels."""

    label: str
    words: str
    x: float
    width: float
    middle: float
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Stacks:
    """``names``: (series, name, x in pixels) of the parts, the lowest first, at ``name_y``."""

    height: int
    base: float
    ticks: list[Tick]
    piles: list[Pile]
    names: list[tuple[int, str, float]]
    name_y: float


@dataclass(frozen=True, slots=True)
class Amounts:
    label: str
    parts: Sequence[float]  # one for each name
    words: str = ""


def stacks(given: Sequence[Amounts], names: Sequence[str], unit: str, *, height: int = 220) -> Stacks | None:
    """From left to right, the first part at the bottom; None without any amount.

    Raises:
        ValueError: more than four parts, which colours could not tell apart.
    """
    if len(names) > MOST_PARTS:
        raise ValueError(f"{len(names)} parts; put the smallest together")
    most = max((sum(one.parts) for one in given), default=0)
    if not most:
        return None
    scale = ticks_of(0, most, unit, TOP, height - BELOW, 3)
    room = (RIGHT - LEFT) / len(given)
    step = every_nth(len(given), LABELS)
    piles = []
    for i, one in enumerate(given):
        parts, sofar = [], 0.0
        for series, amount in enumerate(one.parts, 1):
            if amount:
                top = scale.y(sofar + amount)
                parts.append(Part(series, top, round(scale.y(sofar) - top, 2)))
            sofar += amount
        left, width = LEFT + room * i, room * 0.78
        label = one.label if i % step == 0 else ""
        piles.append(
            Pile(label, one.words, round(left, 2), round(width, 2), round(left + width / 2, 2), parts)
        )
    placed = [(i + 1, name, NAME_X * i) for i, name in enumerate(names)]
    return Stacks(height, scale.y(0), scale.ticks, piles, placed, NAME_Y)
