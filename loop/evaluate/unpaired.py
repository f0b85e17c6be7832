"""Two estimates that share no prompts: how far apart they are, from their intervals alone."""

from __future__ import annotations

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
