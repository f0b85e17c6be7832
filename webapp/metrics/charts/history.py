"""What became of each iteration: the held-out accuracy of its model, and a line through the champions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext

from webapp.metrics.charts.scale import Tick, ticks_of

Kind = Literal["base", "promoted", "held", "control"]
WORDED = 7  # with more stops only alarms are written below, the others are told by their marks
ALARMS_WORDED = 12  # with more the marks alone tell
ROOMY = 5  # stops whose words and values a phone has room for
VALUED = 10  # with more, values are only in the table
LEFT, RIGHT = 14.0, 94.0  # per cent
TOP, BELOW, WORD_LINE = 24.0, 52.0, 14.0


@dataclass(frozen=True, slots=True)
class Stop:
    """One measured model. ``alarms``: their names in short, the most urgent first; ``words`` are for who
    points at the mark or hears it."""

    label: str
    value: float
    low: float
    high: float
    kind: Kind
    alarms: Sequence[str] = ()
    href: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """``below``: the words under its number, a line each. A phone leaves out what is ``quiet``, and value and
    words where it is ``tight``."""

    stop: Stop
    x: float
    y: float
    low: float
    high: float
    number_y: float
    below: list[tuple[float, str]]
    quiet: bool
    tight: bool
    value_shown: bool


@dataclass(frozen=True, slots=True)
class History:
    height: int
    ticks: list[Tick]
    stops: list[Shown]
    line: str
    band: str


def history(stops: Sequence[Stop], *, height: int = 232) -> History | None:
    """Shares from left to right; None without any. The line and its band run through the base and whoever
    was promoted."""
    if not stops:
        return None
    bottom = height - BELOW
    scale = ticks_of(min(s.low for s in stops), max(s.high for s in stops), "share", TOP, bottom)
    shown = []
    for i, stop in enumerate(stops):
        x = (LEFT + RIGHT) / 2 if len(stops) == 1 else LEFT + (RIGHT - LEFT) * i / (len(stops) - 1)
        words = _below(stop, len(stops))
        shown.append(
            Shown(
                stop, round(x, 2), scale.y(stop.value), scale.y(stop.low), scale.y(stop.high), bottom + 18.0,
                [(bottom + 18.0 + WORD_LINE * n, word) for n, word in enumerate(words, 1)],
                quiet=not stop.alarms, tight=len(stops) > ROOMY, value_shown=len(stops) <= VALUED,
            )
        )  # fmt: skip
    on_line = [s for s in shown if s.stop.kind in ("base", "promoted")]
    return History(
        height,
        scale.ticks,
        shown,
        line=" ".join(f"{s.x},{s.y}" for s in on_line),
        band=" ".join([f"{s.x},{s.high}" for s in on_line] + [f"{s.x},{s.low}" for s in reversed(on_line)]),
    )


def _below(stop: Stop, count: int) -> list[str]:
    """At most two lines: the first alarm, or what was decided. Long names are broken at a space."""
    if stop.alarms and count <= ALARMS_WORDED:
        first, *others = stop.alarms
        words = first.split(" ")
        half = (len(words) + 1) // 2
        lines = [" ".join(words[:half]), " ".join(words[half:])] if len(words) > 1 else [first]
        if others:
            lines[-1] += f" +{len(others)}"
        return lines
    return [gettext(stop.kind)] if count <= WORDED and stop.kind != "base" and not stop.alarms else []
