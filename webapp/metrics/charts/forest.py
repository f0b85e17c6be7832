"""A forest plot: differences below each other, each with its interval, against no difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from loop.evaluate.metric import Better
from webapp.metrics.charts.scale import Tick, nice_ticks
from webapp.metrics.templatetags.numbers import tick_text, written, written_interval

LEFT, RIGHT = 4.0, 96.0
ROW, TOP, BELOW = 54, 4, 28
WORDS = {"better": lazy("better"), "worse": lazy("worse"), "higher": lazy("higher"), "lower": lazy("lower")}


@dataclass(frozen=True, slots=True)
class Difference:
    label: str
    value: float
    low: float | None = None
    high: float | None = None
    href: str = ""
    note: str = ""
    better: Better = "up"  # which way is good


@dataclass(frozen=True, slots=True)
class Row:
    """x positions in per cent, y in pixels. Label, value and mark stand below each other: on a phone there is
    no room for more side by side.

    ``side``: the whole interval is ``better`` or ``worse`` than zero, ``higher`` or ``lower`` where neither
    is good, or ``over`` it: that could be chance. The text ends on the same word.
    """

    difference: Difference
    words_y: float
    value_y: float
    y: float
    x: float
    low: float | None
    high: float | None
    text: str
    side: str


@dataclass(frozen=True, slots=True)
class Forest:
    height: int
    bottom: float
    zero: float
    ticks: list[Tick]
    rows: list[Row]


def forest(differences: Sequence[Difference], unit: str) -> Forest | None:
    """Rows from top to bottom on one axis that always holds zero; None without rows."""
    if not differences:
        return None
    ends = [0.0, *(e for d in differences for e in (d.value, d.low, d.high) if e is not None)]
    ticks = nice_ticks(min(ends), max(ends), 4)

    def x(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - ticks[0]) / (ticks[-1] - ticks[0]), 2)

    rows = []
    for i, d in enumerate(differences):
        low, high = (d.low, d.high) if d.low is not None and d.high is not None else (None, None)
        text = written(d.value, unit)
        if low is not None and high is not None:
            text += f" ({written_interval(low, high, unit)})"
        side = _side(d.better, low, high)
        if side in WORDS:
            text = _("%(difference)s, %(word)s") % {"difference": text, "word": WORDS[side]}
        rows.append(
            Row(
                difference=d,
                words_y=TOP + ROW * i + 14,
                value_y=TOP + ROW * i + 29,
                y=TOP + ROW * i + 41,
                x=x(d.value),
                low=None if low is None else x(low),
                high=None if high is None else x(high),
                text=text,
                side=side,
            )
        )
    bottom = TOP + ROW * len(differences)
    return Forest(bottom + BELOW, bottom, x(0), [Tick(x(t), tick_text(t, unit)) for t in ticks], rows)


def _side(better: Better, low: float | None, high: float | None) -> str:
    if low is None or high is None or low <= 0 <= high:
        return "over"
    if not better:
        return "higher" if low > 0 else "lower"
    return "better" if (low > 0) == (better == "up") else "worse"
