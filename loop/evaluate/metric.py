"""What a metric is called, how it is read, and where its formula comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from loop.evaluate.resample import Estimate

Unit = Literal["share", "points", "count", "s", "h", "tokens", "bits", "ratio", "score", "per hour", "bytes"]
Better = Literal["up", "down", ""]  # "": neither; it is read beside others


@dataclass(frozen=True, slots=True)
class Metric:
    """One named number of an iteration.

    ``name`` may end in ``:*``: the metric then has one value per source, stored as ``name:source``.
    ``formula`` is for reading, in the symbols of ``source``; ``version`` rises when the formula changes, so
    that older values can be told and measured anew.
    """

    name: str
    title: str  # sentence case, no unit
    unit: Unit
    better: Better
    formula: str
    source: str  # the paper (arXiv id) or where else it comes from
    version: int = 1

    def covers(self, name: str) -> bool:
        """Whether a stored value of this name is one of this metric's."""
        return name == self.name or (self.name.endswith(":*") and name.startswith(self.name[:-1]))


@dataclass(frozen=True, slots=True)
class Value:
    """A measured number. ``value`` is None where it is not defined; ``detail["reason"]`` then says why."""

    name: str
    value: float | None
    ci95: tuple[float, float] | None = None
    n: int = 0  # of prompts where it is paired over prompts, else of what is counted
    detail: Mapping[str, Any] = field(default_factory=dict)


def value_of(name: str, found: Estimate, *, reason: str = "", **detail: Any) -> Value:
    """The value of an estimate; of one that is not defined, with the ``reason`` why."""
    if found.value is None:
        return Value(name, None, detail={"reason": reason, **detail})
    return Value(name, found.value, found.ci95, found.n, detail)
