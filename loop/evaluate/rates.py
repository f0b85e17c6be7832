"""Rates of one model: accuracy with its interval, pass@k, maj@k."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb, sqrt

_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Rate:
    """``value`` of ``n`` scored outcomes with a 95 % Wilson interval; None when nothing was scored."""

    value: float | None
    n: int
    errors: int  # outcomes that could not be scored
    ci95: tuple[float, float] | None


def accuracy(outcomes: Iterable[bool | None]) -> Rate:
    """Share right among the outcomes that could be scored."""
    seen = list(outcomes)
    scored = [o for o in seen if o is not None]
    if not scored:
        return Rate(None, 0, len(seen), None)
    return Rate(
        sum(scored) / len(scored), len(scored), len(seen) - len(scored), wilson(sum(scored), len(scored))
    )


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of ``n`` >= 1 (Wilson, 1927, JASA 22)."""
    p, z2 = right / n, _Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # The ends are exact where nothing or everything is right; rounding must not push them off.
    return (0.0 if right == 0 else max(0.0, centre - half), 1.0 if right == n else min(1.0, centre + half))


def pass_at_k(n: int, right: int, k: int) -> float:
    """Chance that at least one of k samples is right, estimated without bias from n samples:
    1 - C(n - right, k) / C(n, k) (Chen et al., 2021, arXiv:2107.03374).

    Raises:
        ValueError: not 1 <= k <= n, or not 0 <= right <= n.
    """
    if not (1 <= k <= n and 0 <= right <= n):
        raise ValueError(f"pass@k needs 1 <= k <= n and 0 <= right <= n, got n={n}, right={right}, k={k}")
    return 1.0 - comb(n - right, k) / comb(n, k)


def maj_at_k(answers: Sequence[str | None], right: Sequence[bool], k: int) -> float:
    """Chance that the most frequent answer among the first k samples is right.

    A tie is shared out: among t leading answers each counts 1/t. Samples without an answer do not vote;
    when none votes the result is 0. Equal answers must be spelt alike (normalise them first).

    Raises:
        ValueError: answers and right differ in length, or not 1 <= k <= n.
    """
    if len(answers) != len(right) or not 1 <= k <= len(answers):
        raise ValueError(f"maj@{k} needs at least {k} answers, each with its outcome")
    votes = Counter(a for a in answers[:k] if a is not None)
    if not votes:
        return 0.0
    outcome = {a: r for a, r in zip(answers[:k], right[:k], strict=True) if a is not None}
    top = max(votes.values())
    leaders = [a for a, count in votes.items() if count == top]
    return sum(outcome[a] for a in leaders) / len(leaders)
