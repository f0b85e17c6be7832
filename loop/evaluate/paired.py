"""Two models on the same prompts: what flipped, how sure, by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class McNemar:
    """``gained``: wrong before, right now; ``lost``: the other way round."""

    gained: int
    lost: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Mean of after - before over prompts, with the percentile interval of its resamples."""

    effect: float
    ci95: tuple[float, float]


def paired(
    before: Mapping[str, bool | None], after: Mapping[str, bool | None]
) -> tuple[list[bool], list[bool], int]:
    """Outcomes on the prompts both sides were scored on, by prompt id, and how many were left out."""
    everyone = sorted(before.keys() | after.keys())
    a, b = [], []
    for prompt_id in everyone:
        x, y = before.get(prompt_id), after.get(prompt_id)
        if x is not None and y is not None:
            a.append(x)
            b.append(y)
    return a, b, len(everyone) - len(a)


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> McNemar:
    """Exact two-sided McNemar test: under no difference a flip is as likely one way as the other.

    Raises:
        ValueError: the sides differ in length.
    """
    from scipy.stats import binomtest  # slow to import; only whoever tests pays for it

    pairs = list(zip(before, after, strict=True))
    gained = sum(not x and y for x, y in pairs)
    lost = sum(x and not y for x, y in pairs)
    flips = gained + lost
    return McNemar(gained, lost, float(binomtest(gained, flips, 0.5).pvalue) if flips else 1.0)


def fall_p_value(before: Sequence[bool], after: Sequence[bool]) -> float:
    """Exact one-sided McNemar test of a fall: the chance of so many losses among the flips if a flip is as
    likely one way as the other. 1 without any flip.

    Raises:
        ValueError: the sides differ in length.
    """
    from scipy.stats import binom

    pairs = list(zip(before, after, strict=True))
    gained = sum(not x and y for x, y in pairs)
    lost = sum(x and not y for x, y in pairs)
    return float(binom.sf(lost - 1, gained + lost, 0.5)) if lost else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: those below a level may all be rejected with at most that chance
    of any false one (Holm, 1979, Scandinavian Journal of Statistics 6)."""
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def paired_bootstrap(
    before: Sequence[float], after: Sequence[float], *, seed: int = 0, resamples: int = 10_000
) -> Bootstrap:
    """95 % percentile interval of the mean paired difference, resampling prompts.

    Whoever shows two models side by side keeps ``seed`` as it is: the same outcomes then have the same
    interval on every page.

    Raises:
        ValueError: no prompts, or the sides differ in length.
    """
    if len(before) != len(after) or not len(before):
        raise ValueError(
            f"a paired comparison needs equally many outcomes, got {len(before)} and {len(after)}"
        )
    difference = np.asarray(after, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    rng = np.random.default_rng(seed)
    values, counts = np.unique(difference, return_counts=True)
    # Drawing n prompts with replacement and averaging depends only on how often each value is drawn:
    # a multinomial draw gives the same law without an n x resamples table.
    drawn = rng.multinomial(len(difference), counts / len(difference), size=resamples)
    low, high = np.quantile(drawn @ values / len(difference), [0.025, 0.975])
    return Bootstrap(float(difference.mean()), (float(low), float(high)))
