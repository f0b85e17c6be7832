"""Wrong and yet convincing first: there a mark teaches most.

Lightman et al., 2023, arXiv:2305.20050: what the checker calls wrong, the highest reward model score first;
without a score, what the model was surest of. Then the undecided likewise, then the right ones, the least
convincing first.
"""

from __future__ import annotations

from collections.abc import Sequence

from loop.annotate.order._askable import Askable
from loop.annotate.order._turns import Rank, ranked
from loop.records import Verdict

READS = ("checker", "verdict", "score", "confidence")


def order(items: Sequence[Askable], seed: int) -> list[Askable]:
    return ranked(items, seed, _rank)


def _rank(item: Askable) -> Rank:
    verdict = item.checker or item.verdict
    group = {Verdict.WRONG: 0, Verdict.RIGHT: 2}.get(verdict, 1) if verdict else 1
    sign = 1 if group == 2 else -1
    return group, item.score is None, sign * (item.score or 0.0), sign * item.confidence
