"""Versions and the datasets they were trained on, as lanes of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


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
