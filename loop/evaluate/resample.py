"""Bootstrap over prompts: one set of resamples for every metric of an iteration.

Samples of one prompt are not independent, so prompts are drawn, never samples (cluster bootstrap; Efron and
Tibshirani, 1993, chapter 8). All metrics read the same draws: sums over prompts of any number of columns
are one matrix product, and differences between metrics are paired over prompts by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 1000
DRAWN_AT_ONCE = 8_000_000  # counts held in memory


class Resamples:
    """How often each of ``n`` prompts is drawn, in each of ``resamples`` draws of n with replacement."""

    def __init__(self, n: int, *, seed: int = 0, resamples: int = RESAMPLES) -> None:
        if n < 1:
            raise ValueError("a bootstrap needs at least one prompt")
        self.n, self.seed, self.resamples = n, seed, resamples
        self._kept: list[NDArray[np.uint8]] | None = None

    def _draws(self) -> Iterator[NDArray[np.uint8]]:
        """Blocks of draws x n counts. Kept while small; else drawn anew, the same each time."""
        if self._kept is not None:
            yield from self._kept
            return
        rng = np.random.default_rng(self.seed)
        rows = max(1, DRAWN_AT_ONCE // self.n)
        kept = [] if self.n * self.resamples <= 8 * DRAWN_AT_ONCE else None
        for start in range(0, self.resamples, rows):
            size = min(rows, self.resamples - start)
            drawn = rng.integers(0, self.n, size=(size, self.n), dtype=np.int32)
            drawn += (np.arange(size, dtype=np.int64)[:, None] * self.n).astype(np.int32)
            counts = np.bincount(drawn.ravel(), minlength=size * self.n).reshape(size, self.n)
            block = np.minimum(counts, 255).astype(np.uint8)
            if kept is not None:
                kept.append(block)
            yield block
        self._kept = kept

    def sums(self, *columns: Floats) -> Floats:
        """resamples x columns: the sum of each column over the drawn prompts. Columns have n numbers."""
        table = np.stack([np.asarray(c, dtype=np.float64) for c in columns], axis=1)
        if len(table) != self.n:
            raise ValueError(f"columns of {len(table)} prompts for resamples of {self.n}")
        return np.concatenate([block.astype(np.float64) @ table for block in self._draws()])

    def interval(self, statistic: Callable[..., Floats], *columns: Floats) -> tuple[float, float] | None:
        """95 % percentile interval of ``statistic``, which is given one array of drawn sums per column.

        None where the statistic is undefined (nan) in more than one draw of twenty.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            values = statistic(*self.sums(*columns).T)
        defined = values[np.isfinite(values)]
        if len(defined) < 0.95 * len(values):
            return None
        low, high = np.quantile(defined, [0.025, 0.975])
        return float(low), float(high)

    def mean(self, values: Floats) -> tuple[float | None, tuple[float, float] | None, int]:
        """(mean, interval, n) over the prompts where ``values`` is a number; nan: the prompt has none."""
        known = np.isfinite(values)
        return self.ratio(np.where(known, values, 0.0), known.astype(np.float64))

    def ratio(self, above: Floats, below: Floats) -> tuple[float | None, tuple[float, float] | None, int]:
        """(sum of above / sum of below, interval, prompts with below > 0)."""
        total = float(np.sum(below))
        if total == 0:
            return None, None, 0
        return (
            float(np.sum(above)) / total,
            self.interval(np.divide, above, below),
            int(np.count_nonzero(below)),
        )
