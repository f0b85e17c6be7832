"""Bootstrap over prompts: one set of resamples for every metric over the same prompts.

Samples of one prompt are not independent, so prompts are drawn, never samples (cluster bootstrap; Efron and
Tibshirani, 1993, chapter 8). What is measured over the same prompts with the same seed reads the same draws:
sums over prompts of any number of columns are one matrix product, and differences are paired over prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loop.evaluate.rates import wilson

Floats = NDArray[np.float64]
RESAMPLES = 1000
DRAWN_AT_ONCE = 250_000  # counts that are widened to floats at once: 2 MB, which stay in the cache
KEPT = 200_000_000  # counts held in memory, a byte each; beyond, they are drawn anew


class Estimate(NamedTuple):
    """A figure; None: it is not defined. ``n``: the prompts that it rests on."""

    value: float | None
    ci95: tuple[float, float] | None = None
    n: int = 0


NOTHING = Estimate(None)


class Resamples:
    """How often each of ``n`` prompts is drawn, in each of ``resamples`` draws of n with replacement.

    Raises:
        ValueError: no prompts.
    """

    def __init__(self, n: int, *, seed: int = 0, resamples: int = RESAMPLES) -> None:
        if n < 1:
            raise ValueError("a bootstrap needs at least one prompt")
        self.n, self.seed, self.resamples = n, abs(seed), resamples
        self._kept: list[NDArray[np.uint8]] | None = None

    def _draws(self) -> Iterator[NDArray[np.uint8]]:
        """Blocks of draws x n counts. Kept while small; else drawn anew, the same each time.

        A byte suffices: that one prompt of hundreds is drawn 256 times happens never (less than 1e-100).
        """
        if self._kept is not None:
            yield from self._kept
            return
        rng = np.random.default_rng(self.seed)
        rows = max(1, DRAWN_AT_ONCE // self.n)
        kept: list[NDArray[np.uint8]] | None = [] if self.n * self.resamples <= KEPT else None
        for start in range(0, self.resamples, rows):
            block = np.empty((min(rows, self.resamples - start), self.n), dtype=np.uint8)
            for row in block:
                row[:] = np.bincount(rng.integers(0, self.n, size=self.n), minlength=self.n)
            if kept is not None:
                kept.append(block)
            yield block
        self._kept = kept

    def sums(self, *columns: Floats) -> Floats:
        """resamples x columns: the sum of each column over the drawn prompts. Columns have n numbers.

        Raises:
            ValueError: columns of another length.
        """
        table = np.stack([np.asarray(c, dtype=np.float64) for c in columns], axis=1)
        if len(table) != self.n:
            raise ValueError(f"columns of {len(table)} prompts for resamples of {self.n}")
        return np.concatenate([block.astype(np.float64) @ table for block in self._draws()])

    def interval(self, statistic: Callable[..., Floats], *columns: Floats) -> tuple[float, float] | None:
        """95 % percentile interval of ``statistic``, which is given one array of drawn sums per column.

        None where the statistic is undefined (nan) in more than one draw of twenty, and of a single prompt:
        one prompt does not show how much prompts differ.
        """
        if self.n == 1:
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            values = statistic(*self.sums(*columns).T)
        defined = values[np.isfinite(values)]
        if len(defined) < 0.95 * len(values):
            return None
        low, high = np.quantile(defined, [0.025, 0.975])
        return float(low), float(high)

    def estimate(self, statistic: Callable[..., Floats], *columns: Floats, n: int | None = None) -> Estimate:
        """``statistic`` of the columns' sums over all prompts, with its interval; nothing where undefined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(statistic(*(np.asarray(c, dtype=np.float64).sum() for c in columns)))
        if not np.isfinite(value):
            return NOTHING
        return Estimate(value, self.interval(statistic, *columns), self.n if n is None else n)

    def ratio(self, above: Floats, below: Floats) -> Estimate:
        """Sum of above / sum of below; n: prompts with below > 0."""
        return self.estimate(np.divide, above, below, n=int(np.count_nonzero(below)))

    def mean(self, values: Floats) -> Estimate:
        """Mean over the prompts where ``values`` is a number; nan: the prompt has none."""
        return self.ratio(*_known(values))

    def share(self, above: Floats, below: Floats) -> Estimate:
        """`ratio` of a part to its whole. Where it is 0 or 1 in every prompt, resampling shows nothing else,
        however few the prompts: Wilson's interval of so many prompts stands in."""
        found = self.ratio(above, below)
        if found.value not in (0.0, 1.0):
            return found
        return found._replace(ci95=wilson(round(found.value * found.n), found.n))

    def mean_share(self, values: Floats) -> Estimate:
        """`mean` of shares: as `share` at the ends."""
        return self.share(*_known(values))

    def difference(self, after: Floats, before: Floats) -> Estimate:
        """Mean of after - before, paired over the prompts where both are numbers."""
        return self.mean(after - before)


def _known(values: Floats) -> tuple[Floats, Floats]:
    known = np.isfinite(values)
    return np.where(known, values, 0.0), known.astype(np.float64)
