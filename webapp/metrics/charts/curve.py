"""A training loss by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.metrics.charts.scale import Tick, nice_ticks, place


@dataclass(frozen=True, slots=True)
class Curve:
    height: int
    ticks: list[Tick]
    line: str
    last_y: float
    last_x: float
    first: float
    last: float
    steps: int
    total_steps: int


def curve(
    points: Sequence[tuple[int, float]], total_steps: int, height: int = 150, most: int = 240
) -> Curve | None:
    """A training loss by step; None without points. Thinned to ``most`` points, the last one always kept."""
    if not points:
        return None
    stride = max(1, len(points) // most)
    kept = [*points[:-1:stride], points[-1]]
    values = [loss for _, loss in kept]
    ticks = nice_ticks(min(values), max(values), 3)
    ends = (14.0, height - 6.0, ticks[0], ticks[-1])
    total = max(total_steps, kept[-1][0], 1)
    xs = [round(100 * step / total, 2) for step, _ in kept]
    ys = place(values, *ends)
    return Curve(
        height=height,
        ticks=[Tick(y, f"{t:g}") for t, y in zip(ticks, place(ticks, *ends), strict=True)],
        line=" ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True)),
        last_y=ys[-1],
        last_x=xs[-1],
        first=points[0][1],
        last=points[-1][1],
        steps=points[-1][0],
        total_steps=total,
    )
