"""The blind comparison: people chose between champion and challenger without knowing which was which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loop.evaluate.rates import accuracy


@dataclass(frozen=True, slots=True)
class Blind:
    """Pairs compared by at least one person. ``share`` counts a tie as half; its interval is Wilson's."""

    asked: int
    won: int  # by the challenger
    lost: int
    tied: int
    share: float | None
    ci95: tuple[float, float] | None  # of the share of decided pairs that the challenger won
    p_value: float | None  # two-sided sign test over decided pairs


def blind_result(asked: int, votes: Mapping[str, Iterable[int]]) -> Blind:
    """``votes``: pair -> its people's votes, 1 for the challenger, -1 for the champion, 0 for a tie. A pair
    goes to the side with more votes. Pairs that nobody answered are not in it."""
    from scipy.stats import binomtest

    sums = [sum(said) for said in votes.values()]
    won, lost = sum(s > 0 for s in sums), sum(s < 0 for s in sums)
    tied = len(sums) - won - lost
    return Blind(
        asked=asked,
        won=won,
        lost=lost,
        tied=tied,
        share=(won + tied / 2) / len(sums) if sums else None,
        ci95=accuracy([True] * won + [False] * lost).ci95,
        p_value=float(binomtest(won, won + lost, 0.5).pvalue) if won + lost else None,
    )
