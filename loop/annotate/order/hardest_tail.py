"""Prompts the model solves least often first.

Self-training keeps what is solved easily and loses the hard end of the prompts (Ding et al., 2024,
arXiv:2411.00750): people's time goes where the model's own samples give nothing to learn from. Last the
prompts whose solve rate nobody knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from loop.annotate.order._askable import Askable
from loop.annotate.order._turns import ranked

READS = ("tail",)


def order(items: Sequence[Askable], seed: int) -> list[Askable]:
    return ranked(items, seed, lambda item: (1, 0.0) if item.tail is None else (0, -item.tail))
