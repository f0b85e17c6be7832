"""Prediction-powered inference: a mean from few labels by people and many judgements by a machine.

The machine's mean over many units is corrected by how far it is off where people looked too, so it is
unbiased however bad the machine is; and the better the machine, the narrower the interval (Angelopoulos et
al., 2023, arXiv:2301.09633). The machine weighs as much as it is worth: with a weight of 0 people alone count
(PPI++, Angelopoulos et al., 2023, arXiv:2311.01453).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from loop.evaluate.rates import wilson

_Z95 = 1.959963984540054
LEAST = 2  # labels: from one alone nothing is known of how much they vary


@dataclass(frozen=True, slots=True)
class Powered:
    """``value`` with its normal 95 % interval. ``weight``: how much the machine counts (lambda, 0 to 1)."""

    value: float
    ci95: tuple[float, float]
    weight: float
    n: int  # units with a label


def ppi_mean(labels: ArrayLike, judged: ArrayLike, others: ArrayLike, weight: float | None = None) -> Powered:
    """The mean label: mean(labels) + weight (mean(others) - mean(judged)).

    Args:
        labels: what people say of the units they looked at, (n,). The units must have been drawn uniformly.
        judged: what the machine says of the same units, (n,).
        others: what it says of units without a label, (N,); independent of the first. May be empty.
        weight: None chooses the one with the least variance, cov(labels, judged) / n over
            var(judged) / n + var(others) / N; the paper pools the two variances, which are the same where
            both are single units. Here ``others`` may be means of several judgements, which vary less.

    Where labels do not vary the interval would have no width: it is then Wilson's of the labels alone.

    Raises:
        ValueError: fewer than two labels, or labels and judgements differ in length.
    """
    y, f, g = (np.asarray(x, dtype=np.float64) for x in (labels, judged, others))
    if len(y) != len(f) or len(y) < LEAST:
        raise ValueError(f"needs two labels or more, each with a judgement, got {len(y)} and {len(f)}")
    n, many = len(y), len(g)
    spread = f.var(ddof=1) / n + (g.var(ddof=1) / many if many > 1 else 0.0)
    if weight is None:
        covariance = float(np.cov(y, f)[0, 1]) / n
        weight = min(1.0, max(0.0, covariance / spread)) if many and spread > 0 else 0.0
    value = float(y.mean() + (weight * (g.mean() - f.mean()) if many else 0.0))
    variance = (y - weight * f).var(ddof=1) / n + (weight**2 * g.var(ddof=1) / many if many > 1 else 0.0)
    if y.min() == y.max() and y[0] in (0.0, 1.0):
        return Powered(value, wilson(round(y.sum()), n), weight, n)
    half = _Z95 * sqrt(variance)
    return Powered(value, (value - half, value + half), weight, n)
