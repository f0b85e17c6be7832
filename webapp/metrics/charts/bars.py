"""Bars that lie: what was kept at each step, how often each reason was given."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    count: int
    share: float  # per cent of the first bar
    kept: float | None  # share of the bar before it; None where this one counts something else
    note: str = ""


def funnel(counts: Sequence[tuple[str, int, str]], parts: Collection[str] | None = None) -> list[Bar]:
    """(label, count, note) from top to bottom. Widths are relative to the largest count. ``parts``: labels of
    what is a part of the step before, whose share of it is told; None: of all that is not more."""
    largest = max((count for _, count, _ in counts), default=0) or 1
    bars: list[Bar] = []
    for label, count, note in counts:
        before = bars[-1].count if bars else 0
        bars.append(
            Bar(
                label,
                count,
                round(100 * count / largest, 2),
                count / before if before and count <= before and (parts is None or label in parts) else None,
                note,
            )
        )
    return bars


@dataclass(frozen=True, slots=True)
class Lying:
    """A bar as placed; label and count stand above it."""

    bar: Bar
    words_y: float
    y: float


@dataclass(frozen=True, slots=True)
class Bars:
    height: int
    rows: list[Lying]


ROW = 40


def bars(counts: Sequence[tuple[str, int, str]], parts: Collection[str] | None = None) -> Bars | None:
    """`funnel` as a drawing of its own, for a figure; None without counts."""
    rows = funnel(counts, parts)
    placed = [Lying(bar, ROW * i + 14, ROW * i + 20) for i, bar in enumerate(rows)]
    return Bars(ROW * len(placed), placed) if placed else None
