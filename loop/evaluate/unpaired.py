"""Estimates that share no prompts: how far apart two are by their intervals, and means of several."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import mean, variance

FEWEST = 3  # values whose mean gets an interval


def unpaired_difference(
    before: float, before_ci95: tuple[float, float], after: float, after_ci95: tuple[float, float]
) -> tuple[float, tuple[float, float]]:
    """after - before and its 95 % interval from both sides' own (MOVER; Zou and Donner, 2008,
    Statistics in Medicine 27). Needs no symmetry of the intervals, and takes the sides for independent:
    where both were measured on the same prompts, it is wider than a paired interval.
    """
    by = after - before
    down = sqrt((after - after_ci95[0]) ** 2 + (before_ci95[1] - before) ** 2)
    up = sqrt((after_ci95[1] - after) ** 2 + (before - before_ci95[0]) ** 2)
    return by, (by - down, by + up)


def mean_of(values: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    """Plain mean and its 95 % t interval, from how much the values differ among each other (n - 1 degrees of
    freedom). None for the interval of fewer than `FEWEST`: two or one do not tell how much they vary.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("a mean of no values")
    found = mean(values)
    if len(values) < FEWEST:
        return found, None
    half = _t975(len(values) - 1) * sqrt(variance(values) / len(values))
    return found, (found - half, found + half)


def means_difference(
    before: Sequence[float], after: Sequence[float]
) -> tuple[float, tuple[float, float]] | None:
    """Mean of after - mean of before and its 95 % t interval, each side with its own variance (Welch, 1947,
    Biometrika 34); None where a side has fewer than `FEWEST` values."""
    if min(len(before), len(after)) < FEWEST:
        return None
    by = mean(after) - mean(before)
    squares = [variance(side) / len(side) for side in (before, after)]  # of the standard errors
    if not any(squares):
        return by, (by, by)
    freedom = sum(squares) ** 2 / sum(
        s**2 / (len(side) - 1) for s, side in zip(squares, (before, after), strict=True)
    )
    half = _t975(freedom) * sqrt(sum(squares))
    return by, (by - half, by + half)


def _t975(freedom: float) -> float:
    """What Student's t exceeds in 2.5 % of cases."""
    from scipy.special import stdtrit  # slow to import; only who measures pays for it

    return float(stdtrit(freedom, 0.975))
