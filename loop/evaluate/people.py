"""What people's time is worth: medians with their intervals, and the gain of an hour."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def median_interval(values: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    """(median, 95 % interval from order statistics, which needs no assumption about the law of the values).

    The interval lies between the two values that are as many ranks from the ends as a fair coin's heads are
    with a chance of at least 2.5 % (Conover, 1999, section 3.2); None below six values, where there is none.

    Raises:
        ValueError: no values.
    """
    from scipy.stats import binom  # slow to import; only whoever measures pays for it

    if not values:
        raise ValueError("nothing has a median")
    ranked = sorted(values)
    n = len(ranked)
    low = int(binom.ppf(0.025, n, 0.5))  # P(heads < low) <= 2.5 %
    ends = (ranked[low - 1], ranked[n - low]) if low >= 1 and n - low > low - 1 else None
    return median(ranked), ends


def gain_per_hour(gain: float | None, hours: float) -> float | None:
    """Points of held-out accuracy (1 = one percentage point) for each hour of people's work; None where
    nothing was gained or lost on record, or nobody worked."""
    return None if gain is None or hours <= 0 else 100 * gain / hours
