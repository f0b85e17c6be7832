"""Agreement of each two people over the items both answered, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from loop.annotate.agreement import Figure, FirstErrors, Item, first_error_distance, kappa_figure, near
from loop.evaluate.rates import Rate, accuracy


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
