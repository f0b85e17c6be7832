"""How far people agree on the same items: alpha and shares over everybody, kappa between two.

An item is a mapping from a person to that person's answer. Whoever did not answer is not in it, so that
``None`` stays an answer of its own: no error found, no winner. Intervals are 95 %: percentile bootstrap
over items where no formula is known (Efron, 1979), Wilson's for plain shares of two people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import krippendorff
import numpy as np
from numpy.typing import NDArray

from loop.phrases import phrase

Item = Mapping[Any, Any]  # person -> answer; Any, because a mapping's key type admits no other
Metric = Literal["nominal", "ordinal", "interval"]

NO_PAIRS = phrase("no item was answered by two people")
ONE_ANSWER = phrase("everybody always gave one and the same answer")

LIBRARY_CELLS = 10_000_000  # items x values x values: above it the library's table outgrows the memory
DRAWN_AT_ONCE = 2_000_000  # numbers; a resample is drawn whole

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` is None where it is not defined; ``reason`` then says why.

    ``ci95`` is None too where the resamples never differ (one item, perfect agreement): they would then
    give an interval of no width, which is not certainty.
    """

    value: float | None
    n: int  # items that at least two people answered
    ci95: tuple[float, float] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FirstErrors:
    """Where people saw the first error of one response of ``steps`` steps: person -> 0-based step or None.

    Raises:
        ValueError: a position outside the response.
    """

    steps: int
    said: Mapping[Any, int | None]

    def __post_init__(self) -> None:
        for position in self.said.values():
            if position is not None and not 0 <= position < self.steps:
                raise ValueError(f"first error {position} of a response with {self.steps} steps")

    def positions(self) -> dict[Any, int]:
        """As numbers: "no error" lies after the last step, at ``steps``, farthest from an error in step 0."""
        return {person: self.steps if p is None else p for person, p in self.said.items()}


# ------------------------------------------------------------------------------------------- everybody
def alpha(
    items: Sequence[Item], metric: Metric = "nominal", *, seed: int = 0, resamples: int = 1000
) -> Figure:
    """Krippendorff's alpha, 1 - observed / expected disagreement, for any number of people and gaps.

    Source: Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011). Answers are numbers under
    ``ordinal`` and ``interval``, anything hashable under ``nominal``, but few in kind: a winner is an index
    among the candidates, not an id. Not defined where nothing could be paired or nothing varies; resamples
    in which that happens are left out, and where they are more than one in twenty there is no interval.
    """
    said = [list(item.values()) for item in items if len(item) > 1]
    if not said:
        return Figure(None, 0, reason=NO_PAIRS)
    domain = list(dict.fromkeys(answer for answers in said for answer in answers))
    if len(domain) == 1:
        return Figure(None, len(said), reason=ONE_ANSWER)
    if metric != "nominal":
        domain.sort()
    index = {answer: i for i, answer in enumerate(domain)}
    counts = np.zeros((len(said), len(domain)), dtype=np.int64)
    for row, answers in enumerate(said):
        for answer in answers:
            counts[row, index[answer]] += 1
    values = np.arange(len(domain), dtype=np.float64) if metric == "nominal" else np.array(domain, np.float64)
    kinds, times = np.unique(counts, axis=0, return_counts=True)
    value = (
        krippendorff.alpha(value_counts=counts, value_domain=values, level_of_measurement=metric)
        if counts.size * len(domain) <= LIBRARY_CELLS
        else alphas(kinds, times[None], values, metric)[0]
    )
    ci95 = _bootstrap(times, lambda weights: alphas(kinds, weights, values, metric), seed, resamples)
    return Figure(float(value), len(said), ci95)


def alphas(kinds: NDArray[Any], weights: NDArray[Any], values: Floats, metric: Metric) -> Floats:
    """Alpha of many resamples at once; NaN where nothing varies.

    The library takes seconds for a thousand calls over some thousand items. Here disagreement adds up over
    the kinds of items there are; a test holds this to the library. The ordinal distance of two values is
    that of their middle ranks, squared, which makes it the interval one.

    Args:
        kinds: kinds x values, how many people gave each value; every kind has at least two answers.
        weights: resamples x kinds, how often each kind was drawn.
        values: the values, ascending.
    """
    kinds, weights = kinds.astype(np.float64), weights.astype(np.float64)  # whole numbers multiply slowly
    people, totals = kinds.sum(axis=1), weights @ kinds
    n = totals.sum(axis=1)
    if metric == "nominal":
        observed = weights @ ((people**2 - (kinds**2).sum(axis=1)) / (people - 1))
        expected = n**2 - (totals**2).sum(axis=1)
    else:
        ranks = np.cumsum(totals, axis=1) - totals / 2
        places = ranks if metric == "ordinal" else np.broadcast_to(values - values[0], totals.shape)
        apart = people[:, None] * (kinds @ (places**2).T) - (kinds @ places.T) ** 2
        observed = (weights.T * apart / (people - 1)[:, None]).sum(axis=0)
        expected = n * (totals * places**2).sum(axis=1) - (totals * places).sum(axis=1) ** 2
    expected[(totals > 0).sum(axis=1) < 2] = np.nan  # rather than what rounding left
    result: Floats = 1 - observed * (n - 1) / expected
    return result


def first_error_alpha(
    items: Sequence[FirstErrors], metric: Metric = "interval", *, seed: int = 0, resamples: int = 1000
) -> Figure:
    """Alpha of the first error's position. ``nominal``: "no error" is an answer like any step; else it
    lies after the last step (see `FirstErrors.positions`), so missing a late error weighs less than
    missing an early one. Positions count in steps: where responses differ much in length, long ones weigh
    more.
    """
    answers: list[Item] = [i.said if metric == "nominal" else i.positions() for i in items]
    return alpha(answers, metric, seed=seed, resamples=resamples)


def agreement_share(items: Sequence[Item], *, seed: int = 0, resamples: int = 1000) -> Figure:
    """Of all pairs of answers to the same item, the share that is equal."""
    return _share([list(i.values()) for i in items], lambda a, b: bool(a == b), seed, resamples)


def first_error_share(
    items: Sequence[FirstErrors], *, within: int = 0, seed: int = 0, resamples: int = 1000
) -> Figure:
    """Of all pairs of answers to the same response, the share at most ``within`` steps apart.

    "No error" agrees with itself alone: it is never one step away from an error.
    """
    return _share([list(i.said.values()) for i in items], lambda a, b: near(a, b, within), seed, resamples)


def near(first: int | None, second: int | None, within: int) -> bool:
    """Whether two first errors are at most ``within`` steps apart; None, no error, is near None only."""
    return first is second if first is None or second is None else abs(first - second) <= within


# -------------------------------------------------------------------------------------- two at a time
def percent_agreement(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Share of items with the same answer.

    Raises:
        ValueError: no items, or the two differ in length.
    """
    _same_items(first, second)
    return sum(a == b for a, b in zip(first, second, strict=True)) / len(first)


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Agreement beyond chance, (observed - expected) / (1 - expected) (Cohen, 1960).

    None where both always give one and the same answer: chance then explains everything, and kappa is
    not defined.

    Raises:
        ValueError: no items, or the two differ in length.
    """
    observed = percent_agreement(first, second)
    a, b, n = Counter(first), Counter(second), len(first)
    expected = sum(a[answer] * b[answer] for answer in a) / n**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def kappa_figure(
    first: Sequence[Hashable], second: Sequence[Hashable], *, seed: int = 0, resamples: int = 1000
) -> Figure:
    """`cohen_kappa` with its interval.

    Raises:
        ValueError: no items, or the two differ in length.
    """
    value, n = cohen_kappa(first, second), len(first)
    if value is None:
        return Figure(None, n, reason=ONE_ANSWER)
    index = {answer: i for i, answer in enumerate(dict.fromkeys([*first, *second]))}
    coded = np.array([[index[a], index[b]] for a, b in zip(first, second, strict=True)])
    kinds, times = np.unique(coded, axis=0, return_counts=True)
    a, b = np.eye(len(index))[kinds.T]

    def kappas(weights: Counts) -> Floats:
        observed = weights @ (kinds[:, 0] == kinds[:, 1]) / n
        expected = ((weights @ a) * (weights @ b)).sum(axis=1) / n**2
        expected[expected == 1] = np.nan
        result: Floats = (observed - expected) / (1 - expected)
        return result

    return Figure(value, n, _bootstrap(times, kappas, seed, resamples))


def first_error_distance(first: Sequence[int | None], second: Sequence[int | None]) -> float | None:
    """Mean distance in steps between marked first errors, over items where both marked one; else None.

    Raises:
        ValueError: no items, or the two differ in length.
    """
    _same_items(first, second)
    both = [abs(a - b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return sum(both) / len(both) if both else None


def _share(
    answers: Sequence[list[Any]], alike: Callable[[Any, Any], bool], seed: int, resamples: int
) -> Figure:
    pairs = [[alike(a, b) for a, b in combinations(said, 2)] for said in answers if len(said) > 1]
    if not pairs:
        return Figure(None, 0, reason=NO_PAIRS)
    kinds, times = np.unique([[sum(p), len(p)] for p in pairs], axis=0, return_counts=True)

    def shares(weights: Counts) -> Floats:
        same, total = (weights @ kinds).T
        result: Floats = same / total
        return result

    value = sum(map(sum, pairs)) / sum(map(len, pairs))
    return Figure(value, len(pairs), _bootstrap(times, shares, seed, resamples))


def _bootstrap(
    times: Counts, statistic: Callable[[Counts], Floats], seed: int, resamples: int
) -> tuple[float, float] | None:
    """Percentile interval of ``statistic``, which maps weights (resamples x kinds) to a value of each.

    Items of one kind are interchangeable: how often each kind is drawn has a multinomial law. ``times``:
    how many items of each kind there are.
    """
    rng, n = np.random.default_rng(seed), times.sum()
    at_once = max(1, DRAWN_AT_ONCE // len(times))
    sizes = [min(at_once, resamples - done) for done in range(0, resamples, at_once)]
    values = np.concatenate([statistic(rng.multinomial(n, times / n, size=size)) for size in sizes])
    defined = values[np.isfinite(values)]
    if len(defined) < 0.95 * len(values):
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return (float(low), float(high)) if low < high else None


def _same_items(first: Sequence[object], second: Sequence[object]) -> None:
    if len(first) != len(second) or not first:
        raise ValueError(f"agreement needs the same items twice, got {len(first)} and {len(second)}")
