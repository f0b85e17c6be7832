"""How far two people agree on the same items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence


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


def first_error_distance(first: Sequence[int | None], second: Sequence[int | None]) -> float | None:
    """Mean distance in steps between marked first errors, over items where both marked one; else None.

    Raises:
        ValueError: no items, or the two differ in length.
    """
    _same_items(first, second)
    both = [abs(a - b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return sum(both) / len(both) if both else None


def _same_items(first: Sequence[object], second: Sequence[object]) -> None:
    if len(first) != len(second) or not first:
        raise ValueError(f"agreement needs the same items twice, got {len(first)} and {len(second)}")
