"""How far people agree on the same items: alpha over everybody, kappa and shares for each two of them.

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

from loop.evaluate.rates import Rate, accuracy

Item = Mapping[Any, Any]  # person -> answer; Any, because a mapping's key type admits no other
Metric = Literal["nominal", "ordinal", "interval"]

NO_PAIRS = "no item was answered by two people"
ONE_ANSWER = "everybody always gave one and the same answer"

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


@dataclass(frozen=True, slots=True)
class PairFigures:
    """Two people over the ``n`` items that both answered."""

    people: tuple[Any, Any]
    n: int
    agreement: Rate
    kappa: Figure


@dataclass(frozen=True, slots=True)
class FirstErrorPair:
    """Two people over the ``n`` responses in which both looked for the first error.

    ``distance``: mean distance in steps where both marked one, else None.
    """

    people: tuple[Any, Any]
    n: int
    exact: Rate
    within_one: Rate
    distance: float | None


# ------------------------------------------------------------------------------------------- everybody
def alpha(
    items: Sequence[Item], metric: Metric = "nominal", *, seed: int = 0, resamples: int = 1000
) -> Figure:
    """Krippendorff's alpha, 1 - observed / expected disagreement, for any number of people and gaps.

    Source: Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011). Answers are numbers under
    ``ordinal`` and ``interval``, anything hashable under ``nominal``. Not defined where nothing could be
    paired or nothing varies; resamples in which that happens are left out, and where they are more than
    one in twenty there is no interval.
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
    value = krippendorff.alpha(value_counts=counts, value_domain=values, level_of_measurement=metric)
    patterns, weights = _resampled(counts, seed, resamples)
    return Figure(float(value), len(said), _interval(alphas(patterns, weights, values, metric)))


def alphas(patterns: NDArray[np.int64], weights: NDArray[np.int64], values: Floats, metric: Metric) -> Floats:
    """Alpha of many resamples at once; NaN where it is not defined.

    A thousand calls of the library take seconds for some thousand items. Coincidences add up over items,
    so a resample is a weighted sum over the kinds of items there are; a test holds this to the library.

    Args:
        patterns: kinds x values, how many people gave each value; every kind has at least two answers.
        weights: resamples x kinds, how often each kind was drawn.
        values: the values, ascending.
    """
    kinds, width = patterns.shape
    paired = patterns[:, :, None] * patterns[:, None, :] - patterns[:, :, None] * np.eye(width)
    paired /= (patterns.sum(axis=1) - 1)[:, None, None]
    observed = (weights @ paired.reshape(kinds, -1)).reshape(-1, width, width)
    totals = observed.sum(axis=2)
    if metric == "nominal":
        distance = 1 - np.eye(width)[None]
    elif metric == "interval":
        distance = ((values[:, None] - values[None, :]) ** 2)[None]
    else:  # how many answers lie between two values, half of those at either end
        middle = np.cumsum(totals, axis=1) - totals / 2
        distance = (middle[:, :, None] - middle[:, None, :]) ** 2
    expected = (totals[:, :, None] * totals[:, None, :] * distance).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Floats = 1 - (observed * distance).sum(axis=(1, 2)) * (totals.sum(axis=1) - 1) / expected
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
def pairwise(items: Sequence[Item], *, seed: int = 0, resamples: int = 1000) -> list[PairFigures]:
    """Every two people who answered some item both, in the order in which they first appear."""
    return [
        PairFigures(
            people,
            len(first),
            accuracy(a == b for a, b in zip(first, second, strict=True)),
            kappa_figure(first, second, seed=seed, resamples=resamples),
        )
        for people, (first, second) in _shared(items).items()
    ]


def first_error_pairs(items: Sequence[FirstErrors]) -> list[FirstErrorPair]:
    """Every two people who looked for the first error of some response both, as `pairwise`."""
    return [
        FirstErrorPair(
            people,
            len(first),
            accuracy(near(a, b, 0) for a, b in zip(first, second, strict=True)),
            accuracy(near(a, b, 1) for a, b in zip(first, second, strict=True)),
            first_error_distance(first, second),
        )
        for people, (first, second) in _shared([i.said for i in items]).items()
    ]


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
    kinds, weights = _resampled(coded, seed, resamples)
    each = np.eye(len(index))
    observed = weights @ (kinds[:, 0] == kinds[:, 1]) / n
    expected = ((weights @ each[kinds[:, 0]]) * (weights @ each[kinds[:, 1]])).sum(axis=1) / n**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return Figure(value, n, _interval((observed - expected) / (1 - expected)))


def first_error_distance(first: Sequence[int | None], second: Sequence[int | None]) -> float | None:
    """Mean distance in steps between marked first errors, over items where both marked one; else None.

    Raises:
        ValueError: no items, or the two differ in length.
    """
    _same_items(first, second)
    both = [abs(a - b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return sum(both) / len(both) if both else None


def _shared(
    items: Sequence[Item],
) -> dict[tuple[Any, Any], tuple[list[Any], list[Any]]]:
    rank = {person: i for i, person in enumerate(dict.fromkeys(p for item in items for p in item))}
    shared: dict[tuple[Any, Any], tuple[list[Any], list[Any]]] = {}
    for item in items:
        for a, b in combinations(sorted(item, key=rank.__getitem__), 2):
            first, second = shared.setdefault((a, b), ([], []))
            first.append(item[a])
            second.append(item[b])
    return {pair: shared[pair] for pair in sorted(shared, key=lambda p: (rank[p[0]], rank[p[1]]))}


def _share(
    answers: Sequence[list[Any]], same: Callable[[Any, Any], bool], seed: int, resamples: int
) -> Figure:
    pairs = [[same(a, b) for a, b in combinations(said, 2)] for said in answers if len(said) > 1]
    if not pairs:
        return Figure(None, 0, reason=NO_PAIRS)
    kinds, weights = _resampled(np.array([[sum(p), len(p)] for p in pairs]), seed, resamples)
    hits, total = (weights @ kinds).T
    return Figure(sum(map(sum, pairs)) / sum(map(len, pairs)), len(pairs), _interval(hits / total))


def _resampled(
    rows: NDArray[np.int64], seed: int, resamples: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different rows, and how often each is drawn in every resample (resamples x rows)."""
    kinds, times = np.unique(rows, axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(rows), times / len(rows), size=resamples)
    return kinds, drawn


def _interval(values: Floats) -> tuple[float, float] | None:
    defined = values[np.isfinite(values)]
    if len(defined) < 0.95 * len(values):
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return (float(low), float(high)) if low < high else None


def _same_items(first: Sequence[object], second: Sequence[object]) -> None:
    if len(first) != len(second) or not first:
        raise ValueError(f"agreement needs the same items twice, got {len(first)} and {len(second)}")
