"""What the model is least sure of first.

Uncertainty sampling (Lewis and Gale, 1994, arXiv:cmp-lg/9407020): the score closest to one half first; where
there is no score, the lowest mean log-probability; last what has neither.
"""

from __future__ import annotations

from collections.abc import Sequence

from loop.annotate.order._askable import NO_CONFIDENCE, Askable
from loop.annotate.order._turns import Rank, ranked

READS = ("score", "confidence")


def order(items: Sequence[Askable], seed: int) -> list[Askable]:
    return ranked(items, seed, _rank)


def _rank(item: Askable) -> Rank:
    if item.score is not None:
        return 0, abs(item.score - 0.5)
    return (1, item.confidence) if item.confidence > NO_CONFIDENCE else (2, 0.0)
