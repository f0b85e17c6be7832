"""As they were written."""

from __future__ import annotations

from collections.abc import Sequence

from loop.annotate.order._askable import Askable

READS = ()


def order(items: Sequence[Askable], seed: int) -> list[Askable]:
    return list(items)
