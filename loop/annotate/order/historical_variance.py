"""What was judged differently from time to time first.

Ranking by the variance of earlier outcomes (Wang et al., 2025, arXiv:2504.20571), here of people's or a
judge's answers: where they vary, one more settles most. Last what has no history.
"""

from __future__ import annotations

from collections.abc import Sequence

from loop.annotate.order._askable import Askable
from loop.annotate.order._turns import ranked

READS = ("variance",)


def order(items: Sequence[Askable], seed: int) -> list[Askable]:
    return ranked(items, seed, lambda item: (1, 0.0) if item.variance is None else (0, -item.variance))
