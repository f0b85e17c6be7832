"""Where the model's judgement and the checker's contradict each other first.

Query by committee (Seung, Opper and Sompolinsky, 1992, COLT) with a committee of two: a person settles which
of them is wrong. Then what only one or neither decided, then what they agree on; in each the score farthest
from the checker's verdict first.
"""

from __future__ import annotations

from collections.abc import Sequence

from loop.annotate.order._askable import Askable
from loop.annotate.order._turns import Rank, ranked
from loop.records import Verdict

READS = ("judge", "checker", "score")


def order(items: Sequence[Askable], seed: int) -> list[Askable]:
    return ranked(items, seed, _rank)


def _rank(item: Askable) -> Rank:
    judged = item.judge is not None and item.judge.decided
    checked = item.checker is not None and item.checker.decided
    gap = abs(item.score - (item.checker is Verdict.RIGHT)) if checked and item.score is not None else 0.0
    return (1 if not (judged and checked) else 2 if item.judge is item.checker else 0), -gap
