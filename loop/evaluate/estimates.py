"""Figures with intervals from sums per prompt: count while reading rows, then ask for statistics."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np

from loop.evaluate.metric import Value
from loop.evaluate.rates import accuracy
from loop.evaluate.resample import Floats, Resamples

UNDEFINED = "nothing of what it divides by was seen"


class PromptSums:
    """Sums of named columns for each prompt. A statistic is a function of the sums over all prompts; its
    interval comes from drawing prompts, the same draws for every statistic (see `resample`)."""

    def __init__(self, *names: str, seed: int = 0) -> None:
        self._at = {name: i for i, name in enumerate(names)}
        self._rows: dict[Hashable, list[float]] = {}
        self._seed = seed
        self._drawn: Resamples | None = None

    def __bool__(self) -> bool:
        return bool(self._rows)

    def add(self, prompt: Hashable, **amounts: float) -> None:
        row = self._rows.get(prompt)
        if row is None:
            row = self._rows[prompt] = [0.0] * len(self._at)
        for name, amount in amounts.items():
            row[self._at[name]] += amount

    def column(self, name: str) -> Floats:
        """The column's sum of each prompt, in the order in which prompts came."""
        at = self._at[name]
        return np.array([row[at] for row in self._rows.values()], dtype=np.float64)

    def total(self, name: str) -> float:
        return float(self.column(name).sum())

    def value(
        self,
        name: str,
        statistic: Callable[..., Any],
        *columns: str,
        n: float | None = None,
        detail: Mapping[str, Any] | None = None,
        reason: str = UNDEFINED,
    ) -> Value:
        """``statistic`` of the columns' sums. ``n``: by default the sum of the last column.

        There is no interval where no resample differs from another: that is not certainty.
        """
        parts = [self.column(c) for c in columns]
        counted = int(parts[-1].sum() if n is None else n)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(statistic(*(np.float64(part.sum()) for part in parts)))
        if not np.isfinite(value):
            return Value(name, None, None, counted, {**(detail or {}), "reason": reason})
        if self._drawn is None:
            self._drawn = Resamples(len(self._rows), seed=self._seed)
        ends = self._drawn.interval(statistic, *parts)
        return Value(name, value, ends if ends and ends[0] < ends[1] else None, counted, detail or {})

    def share(
        self,
        name: str,
        part: str,
        whole: str,
        *,
        detail: Mapping[str, Any] | None = None,
        reason: str = UNDEFINED,
    ) -> Value:
        """``part`` of ``whole``. Where all or nothing is, no resample differs: then Wilson's interval with a
        prompt for one observation, which is the careful side."""
        found = self.value(name, np.divide, part, whole, detail=detail, reason=reason)
        if found.ci95 is None and found.value in (0.0, 1.0):
            prompts = int(np.count_nonzero(self.column(whole)))
            wilson = accuracy([found.value == 1.0] * prompts).ci95
            return Value(name, found.value, wilson, found.n, {**found.detail, "interval": "Wilson"})
        return found
