"""Prediction-powered inference: a mean from few labels by people and many judgements by a machine.

The machine's mean over many units is corrected by how far it is off where people looked too, so it is
unbiased however bad the machine is; and the better the machine, the narrower the interval (Angelopoulos et
al., 2023, arXiv:2301.09633). The machine weighs as much as it is worth: with a weight of 0 people alone count
(PPI++, Angelopoulos et al., 2023, arXiv:2311.01453).

Of few labels people and machine may agree on every one; what they differ in then has no variance, and a
normal interval no width, though the machine errs elsewhere. So the interval counts two units more than were
labelled, one of each way to differ (as Bonett and Price, 2012, JEBS 37, for paired shares), and takes
Student's t. It then holds the truth as often as it says from 10 labels on, and nearly so from 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

LEAST = 2  # labels: from one alone nothing is known of how much they vary


@dataclass(frozen=True, slots=True)
class Powered:
    """``value`` with its 95 % interval; both may pass 0 or 1 by a little. ``weight``: how much the machine
    counts (lambda, 0 to 1)."""

    value: float
    ci95: tuple[float, float]
    weight: float
    n: int  # units with a label


def ppi_mean(labels: ArrayLike, judged: ArrayLike, others: ArrayLike, weight: float | None = None) -> Powered:
    """The mean label: mean(labels) + weight (mean(others) - mean(judged)).

    Args:
        labels: what people say of the units they looked at, 0 or 1, (n,). The units must have been drawn
            uniformly.
        judged: what the machine says of the same units, 0 to 1, (n,).
        others: what it says of units without a label, (N,); independent of the first. May be empty.
        weight: None chooses the one with the least variance, cov(labels, judged) / n over
            var(judged) / n + var(others) / N; the paper pools the two variances, which are the same where
            both are single units. Here ``others`` may be means of several judgements, which vary less. The
            two units more count here, too: few labels do not make a machine look perfect.

    Raises:
        ValueError: fewer than two labels, or labels and judgements differ in length.
    """
    from scipy.special import stdtrit  # slow to import; only who measures pays for it

    y, f, g = (np.asarray(x, dtype=np.float64) for x in (labels, judged, others))
    if len(y) != len(f) or len(y) < LEAST:
        raise ValueError(f"needs two labels or more, each with a judgement, got {len(y)} and {len(f)}")
    n, far = len(y), float(g.mean()) if len(g) else 0.0
    doubt = float(g.var(ddof=1)) / len(g) if len(g) > 1 else 0.0
    more_y, more_f = np.append(y, (1.0, 0.0)), np.append(f, (0.0, 1.0))
    if weight is None:
        (_, both), (_, own) = np.cov(more_y, more_f) / (n + 2)
        weight = min(1.0, max(0.0, float(both / (own + doubt))))
    if not len(g):
        weight = 0.0
    value = float(y.mean()) + weight * (far - float(f.mean()))
    centre = float(more_y.mean()) + weight * (far - float(more_f.mean()))
    variance = float((more_y - weight * more_f).var(ddof=1)) / (n + 2) + weight**2 * doubt
    half = float(stdtrit(n + 1, 0.975)) * sqrt(variance)
    return Powered(value, (centre - half, centre + half), weight, n)
