"""The geometry of the charts; templates draw them as SVG.

Horizontal positions are per cent of the width and vertical ones pixels, so that a chart fills any width
while its text keeps its size. Everything a chart shows is also in a table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True)
class Tick:
    y: float
    label: str


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


def _place(values: Sequence[float], top: float, bottom: float, low: float, high: float) -> list[float]:
    span = (high - low) or 1.0
    return [round(bottom - (v - low) / span * (bottom - top), 2) for v in values]


def bands(measured: Sequence[Measured], height: int = 210) -> Bands:
    """Shares (0 to 1) from left to right. The last 26 pixels are for the labels below."""
    if not measured:
        return Bands(height, [], [], "", "")
    ticks = nice_ticks(min(m.low for m in measured), max(m.high for m in measured))
    ends = (24.0, height - 26.0, ticks[0], ticks[-1])
    marks = []
    for i, m in enumerate(measured):
        x = 50.0 if len(measured) == 1 else 13 + 79 * i / (len(measured) - 1)
        y, low, high = _place((m.value, m.low, m.high), *ends)
        marks.append(Mark(m, round(x, 2), y, low, high))
    champions = [m for m in marks if m.measured.kind == "champion"]
    return Bands(
        height=height,
        ticks=[Tick(y, f"{100 * t:g} %") for t, y in zip(ticks, _place(ticks, *ends), strict=True)],
        marks=marks,
        line=" ".join(f"{m.x},{m.y}" for m in champions),
        band=" ".join(
            [f"{m.x},{m.high}" for m in champions] + [f"{m.x},{m.low}" for m in reversed(champions)]
        ),
    )


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
    ys = _place(values, *ends)
    return Curve(
        height=height,
        ticks=[Tick(y, f"{t:g}") for t, y in zip(ticks, _place(ticks, *ends), strict=True)],
        line=" ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True)),
        last_y=ys[-1],
        last_x=xs[-1],
        first=points[0][1],
        last=points[-1][1],
        steps=points[-1][0],
        total_steps=total,
    )


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    count: int
    share: float  # per cent of the first bar
    kept: float | None  # share of the bar before it
    note: str = ""


def funnel(counts: Sequence[tuple[str, int, str]]) -> list[Bar]:
    """(label, count, note) from top to bottom. Widths are relative to the largest count."""
    largest = max((count for _, count, _ in counts), default=0) or 1
    bars: list[Bar] = []
    for label, count, note in counts:
        before = bars[-1].count if bars else 0
        bars.append(
            Bar(label, count, round(100 * count / largest, 2), count / before if before else None, note)
        )
    return bars


@dataclass(frozen=True, slots=True)
class Node:
    """``lane`` says which line it stands in; lanes are drawn in the order of ``LANES``. ``held`` ones may be
    drawn together where they are many. ``data`` is the key of the dataset node it was trained on."""

    key: int
    label: str
    kind: str
    note: str
    href: str
    parent: int | None
    lane: str = ""
    data: int | None = None
    words: StrOrPromise = ""  # what the mark means, for who does not see it


@dataclass(frozen=True, slots=True)
class Placed:
    node: Node
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Edge:
    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class Lane:
    label: StrOrPromise
    y: float


@dataclass(frozen=True, slots=True)
class Lineage:
    width: int
    height: int
    nodes: list[Placed]
    edges: list[Edge]
    data: list[Placed]
    lanes: list[Lane]
    folded: int  # versions that are not drawn one by one


LANE_WORDS = {
    "champions": _("champions"),
    "challengers": _("challengers"),
    "registered": _("imports and own runs"),
    "control arms": _("control arms"),
    "reward": _("reward models"),
    "process reward": _("process reward models"),
    "datasets": _("datasets"),
}
LANES = tuple(LANE_WORDS)
OWN_LANES = {
    "champion": "champions",
    "retired": "champions",
    "control": "control arms",
    "registered": "registered",
}
COLUMN, ROW, TOP, LEFT = 104, 78, 34, 56
FOLD_FROM = 16  # more versions than this: those that led nowhere are drawn together
FOLDING = ("held", "control")


def fold(nodes: Sequence[Node], href: str) -> tuple[list[Node], int]:
    """Draw neighbours that were held or control arms, of one parent, and led nowhere, as one node each run.

    Returns the nodes left and how many were folded away; ``href`` is where all of them are shown.
    """
    parents = {n.parent for n in nodes}
    out: list[Node] = []
    run: list[Node] = []

    def close() -> None:
        if len(run) < 3:
            out.extend(run)
        elif run:
            first, last = run[0], run[-1]
            words = f"{len(run)} versions that led nowhere: show all"
            label = f"{first.label}…{last.label}"
            out.append(
                Node(
                    first.key,
                    label,
                    "folded",
                    f"{len(run)} held",
                    href,
                    first.parent,
                    first.lane,
                    None,
                    words,
                )
            )
        run.clear()

    for node in nodes:
        folds = node.kind in FOLDING and node.key not in parents
        if not folds or (run and (node.parent, node.lane) != (run[0].parent, run[0].lane)):
            close()
        if folds:
            run.append(node)
        else:
            out.append(node)
    close()
    return out, len(nodes) - sum(n.kind != "folded" for n in out)


def lineage(nodes: Sequence[Node], data: Sequence[Node] = (), *, folded: int = 0) -> Lineage:
    """Versions from left to right as they were made, in pixels, each kind in a lane of its own.

    What became champion runs along the top. Datasets stand below the first version trained on them, joined to
    every version that was.
    """
    used = {n.data for n in nodes if n.data is not None}
    data = [d for d in data if d.key in used]
    lanes = [lane for lane in LANES if any(_lane(n) == lane for n in nodes) or (data and lane == "datasets")]
    height = {lane: TOP + ROW * i for i, lane in enumerate(lanes)}
    placed = {n.key: Placed(n, LEFT + COLUMN * i, height[_lane(n)]) for i, n in enumerate(nodes)}
    edges = []
    for child in placed.values():
        parent = placed.get(child.node.parent) if child.node.parent is not None else None
        if parent is not None:
            edges.append(Edge(_line(parent, child), child.node.kind))
    below = []
    for one in data:
        trained = [p for p in placed.values() if p.node.data == one.key]
        mark = Placed(one, trained[0].x, height["datasets"])
        below.append(mark)
        edges += [Edge(f"M{mark.x} {mark.y}L{p.x} {p.y}", "data") for p in trained]
    return Lineage(
        width=2 * LEFT + COLUMN * max(len(nodes) - 1, 0),
        height=TOP + ROW * max(len(lanes) - 1, 0) + 48,
        nodes=list(placed.values()),
        edges=edges,
        data=below,
        lanes=[Lane(LANE_WORDS[lane], y) for lane, y in height.items()],
        folded=folded,
    )


def _lane(node: Node) -> str:
    if node.lane:
        return node.lane
    return OWN_LANES.get(node.kind, "challengers")


def _line(parent: Placed, child: Placed) -> str:
    if parent.y == child.y and child.x - parent.x > COLUMN:  # over the versions between them
        return f"M{parent.x} {parent.y}Q{(parent.x + child.x) / 2} {parent.y - 40} {child.x} {child.y}"
    # Down first, then along the child's lane, so that it does not run through versions in between.
    bend = parent.x + (child.x - parent.x) * 0.2
    return f"M{parent.x} {parent.y}Q{bend} {child.y} {child.x} {child.y}"
