"""In random order, prompts taking turns."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from loop.annotate.order._askable import Askable
from loop.annotate.order._turns import in_turn

READS = ()


def order(items: Sequence[Askable], seed: int) -> list[Askable]:
    shuffled = Random(f"order/{seed}").sample(list(items), len(items))
    return in_turn((0, item) for item in shuffled)
