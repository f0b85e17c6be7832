"""Figures with intervals from sums per prompt: count while reading rows, then ask for statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from loop.evaluate.metric import Value
from loop.evaluate.resample import Estimate, Floats, Resamples
from loop.phrases import phrase

FEWEST = 15  # prompts; fewer do not show how much prompts differ, however much was counted of each
UNDEFINED = phrase("nothing of what it divides by was seen")


class PromptSums:
    """Sums of named columns for each prompt. A statistic is a function of the sums over all prompts; its
    interval comes from drawing prompts, the same draws for every statistic (see `resample`), in the order of
    their keys, whatever order rows came in. None where fewer than `FEWEST` prompts count in the last column,
    what it divides by: then it is evidence of little, and no alarm or licence rests on it."""

    def __init__(self, *names: str, seed: int = 0) -> None:
        self._at = {name: i for i, name in enumerate(names)}
        self._rows: dict[Any, list[float]] = {}
        self._seed = seed
        self._drawn: Resamples | None = None

    def __len__(self) -> int:
        """How many prompts."""
        return len(self._rows)

    def add(self, prompt: int | str, amounts: Mapping[str, float]) -> None:
        """Keys of prompts are all numbers, or all texts."""
        row = self._rows.get(prompt)
        if row is None:
            row = self._rows[prompt] = [0.0] * len(self._at)
        for name, amount in amounts.items():
            row[self._at[name]] += amount

    def column(self, name: str) -> Floats:
        """The column's sum of each prompt, in the order of their keys."""
        at = self._at[name]
        return np.array([self._rows[prompt][at] for prompt in sorted(self._rows)], dtype=np.float64)

    def total(self, name: str) -> int:
        return int(self.column(name).sum())

    def value(
        self,
        name: str,
        statistic: Callable[..., Any],
        *columns: str,
        n: int | None = None,
        detail: Mapping[str, Any] | None = None,
        reason: str = UNDEFINED,
    ) -> Value:
        """``statistic`` of the columns' sums. ``n``: by default the sum of the last column."""
        parts = [self.column(c) for c in columns]
        found = self._resamples.estimate(statistic, *parts) if self else Estimate(None)
        return _valued(name, found, parts[-1], int(parts[-1].sum()) if n is None else n, detail, reason)

    def share(
        self,
        name: str,
        part: str,
        whole: str,
        *,
        detail: Mapping[str, Any] | None = None,
        reason: str = UNDEFINED,
    ) -> Value:
        """``part`` of ``whole``; n: the sum of ``whole``. With Wilson's interval where all or nothing is."""
        parts = self.column(part), self.column(whole)
        found = self._resamples.share(*parts) if self else Estimate(None)
        return _valued(name, found, parts[1], int(parts[1].sum()), detail, reason)

    @property
    def _resamples(self) -> Resamples:
        if self._drawn is None or self._drawn.n != len(self._rows):
            self._drawn = Resamples(len(self._rows), seed=self._seed)
        return self._drawn


def _valued(
    name: str, found: Estimate, whole: Floats, n: int, detail: Mapping[str, Any] | None, reason: str
) -> Value:
    told = dict(detail or {})
    if found.value is None:
        return Value(name, None, None, n, told | {"reason": reason})
    return Value(name, found.value, found.ci95 if np.count_nonzero(whole) >= FEWEST else None, n, told)
