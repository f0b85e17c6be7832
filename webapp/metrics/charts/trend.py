"""A value by iteration: a line for each source, 95 % bands, and a mark for what became of each iteration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Literal

from webapp.metrics.charts.scale import Scale, Tick, every_nth, ticks_of
from webapp.metrics.templatetags.numbers import written

Kind = Literal["promoted", "held", "control", "open"]
LABELS = 12  # so many iteration names fit under a chart on a phone, thinned to that
LEFT, RIGHT, RIGHT_NAMED = 9.0, 87.0, 74.0  # per cent; names of lines need more room at the end
LINE_GAP = 15.0  # pixels between two names
TOP, BELOW = 24.0, 26.0


@dataclass(frozen=True, slots=True)
class Point:
    """One iteration's value. ``value`` None leaves a gap; a control is drawn beside the line, never on it.

    ``words`` is what the mark says to who points at it or hears it.
    """

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    kind: Kind = "promoted"
    alarm: bool = False
    href: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Spot:
    """``low`` and ``high`` are set where a whisker is drawn."""

    point: Point
    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """``series`` 1 to 4 picks the colour; lines beyond the fourth are dashed."""

    series: int
    dashed: bool
    spots: list[Spot]
    lines: list[str] = field(default_factory=list)
    bands: list[str] = field(default_factory=list)
    name: str = ""
    name_x: float = 0.0
    name_y: float = 0.0


@dataclass(frozen=True, slots=True)
class Trend:
    height: int
    ticks: list[Tick]
    labels: list[tuple[float, str]]
    lines: list[Drawn]


def trend(lines: Sequence[Line], unit: str, *, height: int = 230) -> Trend | None:
    """Lines over the same iterations, in their order; None when nothing was measured.

    The end of each line carries its name, or, when it is the only one, its last value.
    """
    ends = [e for line in lines for p in line.points for e in (p.value, p.low, p.high) if e is not None]
    if not ends:
        return None
    scale = ticks_of(min(ends), max(ends), unit, TOP, height - BELOW)
    names = [p.label for p in max(lines, key=lambda line: len(line.points)).points]
    right = RIGHT_NAMED if len(lines) > 1 else RIGHT
    xs = _across(len(names), right)
    drawn = [_drawn(i, line, xs, scale) for i, line in enumerate(lines)]
    step = every_nth(len(names), LABELS)
    labels = [(x, n) for i, (x, n) in enumerate(zip(xs, names, strict=True)) if i % step == 0]
    return Trend(height, scale.ticks, labels, _named(drawn, lines, unit, right))


def _across(count: int, right: float) -> list[float]:
    if count == 1:
        return [round((LEFT + right) / 2, 2)]
    return [round(LEFT + (right - LEFT) * i / (count - 1), 2) for i in range(count)]


def _drawn(index: int, line: Line, xs: Sequence[float], scale: Scale) -> Drawn:
    drawn = Drawn(series=index % 4 + 1, dashed=index > 3, spots=[])
    for run in _runs(line.points):
        sure = [i for i in run if line.points[i].low is not None and line.points[i].high is not None]
        if len(run) > 1:
            drawn.lines.append(_path(scale, ((xs[i], line.points[i].value) for i in run)))
        if len(sure) > 1:
            above = _path(scale, ((xs[i], line.points[i].high) for i in sure))
            below = _path(scale, ((xs[i], line.points[i].low) for i in reversed(sure)))
            drawn.bands.append(f"{above} {below}")
        drawn.spots.extend(_spot(line.points[i], xs[i], scale, whisker=len(run) == 1) for i in run)
    for point, x in zip(line.points, xs, strict=False):
        if point.kind == "control" and point.value is not None:
            drawn.spots.append(_spot(point, x, scale, whisker=True))
    drawn.spots.sort(key=lambda s: s.x)
    return drawn


def _path(scale: Scale, corners: Iterable[tuple[float, float | None]]) -> str:
    return " ".join(f"{x},{scale.y(y)}" for x, y in corners if y is not None)


def _runs(points: Sequence[Point]) -> Iterator[list[int]]:
    """Neighbours with a value, controls left out; a missing value ends a run."""
    on_line = [i for i, p in enumerate(points) if p.kind != "control"]
    for there, run in groupby(on_line, key=lambda i: points[i].value is not None):
        if there:
            yield list(run)


def _spot(point: Point, x: float, scale: Scale, *, whisker: bool) -> Spot:
    assert point.value is not None
    if whisker and point.low is not None and point.high is not None:
        return Spot(point, x, scale.y(point.value), scale.y(point.low), scale.y(point.high))
    return Spot(point, x, scale.y(point.value))


def _named(drawn: list[Drawn], lines: Sequence[Line], unit: str, right: float) -> list[Drawn]:
    """Names at the ends of their lines, pushed apart where they would cover each other. A line that ends
    before the others has its name where it ends."""
    ends: list[tuple[float, float, int, str]] = []
    for i, (one, line) in enumerate(zip(drawn, lines, strict=True)):
        spots = [s for s in one.spots if s.point.kind != "control"] or one.spots
        if spots:
            name = line.name if len(lines) > 1 else written(spots[-1].point.value, unit)
            ends.append((spots[-1].y, min(spots[-1].x, right), i, name))
    floors: dict[float, float] = {}
    for y, x, i, name in sorted(ends):
        floors[x] = max(y, floors.get(x, -LINE_GAP) + LINE_GAP)
        drawn[i] = replace(drawn[i], name=name, name_x=x + 2, name_y=floors[x])
    return drawn
