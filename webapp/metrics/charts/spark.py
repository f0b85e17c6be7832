"""A history small enough for a table's row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

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

    @property
    def svg(self) -> SafeString:
        """Drawn here and not by a template: a page has more than a hundred."""
        return format_html(
            '<svg class="chart spark" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img"'
            ' aria-label="{label}">{bands}{lines}<circle class="last" cx="{x}" cy="{y}" r="2.5"/></svg>',
            w=self.width,
            h=self.height,
            label=self.label,
            bands=format_html_join("", '<polygon class="band" points="{}"/>', ((p,) for p in self.bands)),
            lines=format_html_join("", '<polyline class="series" points="{}"/>', ((p,) for p in self.lines)),
            x=str(self.last_x),  # a string: numbers would be written as the language does
            y=str(self.last_y),
        )


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
    xs = _places(len(values))
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


@cache
def _places(n: int) -> tuple[float, ...]:
    """Where n values stand, the newest at the right."""
    step = (WIDTH - 2 * EDGE) / max(n - 1, 1)
    return tuple(round(WIDTH - EDGE - step * (n - 1 - i), 2) for i in range(n))


def _runs(values: Sequence[Estimate]) -> Iterator[list[tuple[int, Any]]]:
    """Neighbours that have a value, with their places."""
    for there, run in groupby(enumerate(values), key=lambda v: v[1][0] is not None):
        if there:
            yield list(run)


def _path(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in corners)
