"""What an alarm rule is, and when a figure is surely on one side of a limit.

An alarm must be believable: a figure counts only when it rests on `ENOUGH` prompts (or whatever it counts,
of so many prompts that it has an interval: see `loop.evaluate.estimates`) and its whole 95 % interval lies
beyond the limit. What was not measured is never a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from loop.evaluate.alarms.said import ENGLISH, Figure, Sentence
from loop.evaluate.metric import Unit
from loop.evaluate.unpaired import unpaired_difference
from loop.stages import Stage

ENOUGH = 30  # fewer: the bootstrap of an all-or-nothing figure has no width, whatever the truth is
Level = Literal["warn", "bad"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A measured value. ``low`` and ``high``: its 95 % interval; without one it is evidence of nothing."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0

    @property
    def enough(self) -> bool:
        return None not in (self.value, self.low, self.high) and self.n >= ENOUGH

    def __neg__(self) -> Seen:
        value, low, high = (None if x is None else -x for x in (self.value, self.high, self.low))
        return Seen(value, low, high, self.n)


@dataclass(frozen=True, slots=True)
class Turn:
    """One iteration as the rules see it: its metric values by name, and what its recipe asks for.

    ``acceptor``: the source whose word accepted what nobody looked at, as metrics name it after a colon;
    empty where that was a checker or people. ``sampling`` is equal for iterations whose samples may be
    compared.
    """

    values: Mapping[str, Seen]
    acceptor: str = ""
    rows: frozenset[str] = frozenset()
    sampling: str = ""
    control: bool = False

    def __getitem__(self, name: str) -> Seen | None:
        """The value of this name, if it was measured, has an interval and rests on enough."""
        seen = self.values.get(name)
        return seen if seen is not None and seen.enough else None

    def raw(self, name: str) -> float | None:
        """The bare number, however little it rests on."""
        seen = self.values.get(name)
        return None if seen is None else seen.value


@dataclass(frozen=True, slots=True)
class Fired:
    """``metric``: the value to look at first. ``said``: what was seen, in sentences with their numbers."""

    metric: str
    said: Sequence[Sentence]

    @property
    def text(self) -> str:
        """What was seen, in English."""
        return ENGLISH.worded(self.said)


def saying(metric: str, text: str, **holes: Figure | str) -> Fired:
    """What is said in one sentence."""
    return Fired(metric, [Sentence(text, holes)])


Decide = Callable[[Turn, Sequence[Turn], float], Fired | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """``stage``: once it was measured, the rule may fire. ``limit`` is in ``unit``; ``span`` bounds what a
    project may set it to; None: the rule has no limit to set."""

    key: str
    title: str
    level: Level
    reads: tuple[str, ...]
    stage: Stage
    formula: str
    source: str  # the paper (arXiv id) or where else it comes from
    what_to_do: str
    decide: Decide
    limit: float | None = None
    unit: Unit = "share"
    span: tuple[float, float] = (0.0, 1.0)


def above(seen: Seen | None, limit: float) -> bool:
    """Surely above: the whole interval is."""
    return seen is not None and seen.enough and seen.low is not None and seen.low > limit


def below(seen: Seen | None, limit: float) -> bool:
    """Surely below."""
    return seen is not None and above(-seen, -limit)


NO_GAIN = 0.02  # a gain that is surely smaller is as good as none


def no_gain(seen: Seen | None) -> bool:
    """Measured well enough, and no gain to speak of: none at all, or surely a smaller one than `NO_GAIN`."""
    return seen is not None and (below(seen, NO_GAIN) or (seen.enough and (seen.value or 0.0) <= 0.0))


def change(before: Seen | None, after: Seen | None) -> Seen | None:
    """``after`` - ``before`` of two iterations, taken for independent. None unless both have an interval."""
    if before is None or after is None or not (before.enough and after.enough):
        return None
    b, bl, bh, a, al, ah = before.value, before.low, before.high, after.value, after.low, after.high
    if b is None or bl is None or bh is None or a is None or al is None or ah is None:
        return None
    by, (low, high) = unpaired_difference(b, (bl, bh), a, (al, ah))
    return Seen(by, low, high, min(before.n, after.n))
