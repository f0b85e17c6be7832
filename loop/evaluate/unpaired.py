"""Estimates that share no prompts: how far apart they are, and their mean, from their intervals alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt


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


def mean_of(
    values: Sequence[float], intervals: Sequence[tuple[float, float]]
) -> tuple[float, tuple[float, float]]:
    """Plain mean of independent estimates and its 95 % interval from theirs (MOVER for sums; Zou and Donner,
    2008). It holds the noise of measuring alone, not how much the estimates differ for other reasons.

    Raises:
        ValueError: no values, or not one interval for each.
    """
    if not values or len(values) != len(intervals):
        raise ValueError(f"a mean of {len(values)} values needs as many intervals, got {len(intervals)}")
    mean = sum(values) / len(values)
    pairs = list(zip(values, intervals, strict=True))
    down = sqrt(sum((value - low) ** 2 for value, (low, _) in pairs)) / len(values)
    up = sqrt(sum((high - value) ** 2 for value, (_, high) in pairs)) / len(values)
    return mean, (mean - down, mean + up)
