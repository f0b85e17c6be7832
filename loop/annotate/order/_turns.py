"""Prompts take turns, so that one prompt with many responses does not fill the list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from random import Random

from loop.annotate.order._askable import Askable

Rank = tuple[float, ...]  # ascending; the first entry is the group within which prompts take turns


def ranked(items: Sequence[Askable], seed: int, rank: Callable[[Askable], Rank]) -> list[Askable]:
    """By ascending rank, prompts taking turns within each group; ``seed`` breaks ties."""
    rng = Random(f"order/{seed}")
    tie = [rng.random() for _ in items]
    keys = [(rank(item), tie[i]) for i, item in enumerate(items)]
    ordered = sorted(range(len(items)), key=keys.__getitem__)
    return in_turn((keys[i][0][0], items[i]) for i in ordered)


def in_turn(grouped: Iterable[tuple[float, Askable]]) -> list[Askable]:
    """Group by group, each prompt's first, then each one's second: otherwise in the order they came."""
    turn: dict[tuple[float, str], int] = defaultdict(int)
    keyed = []
    for group, item in grouped:
        keyed.append(((group, turn[group, item.prompt_id]), item))
        turn[group, item.prompt_id] += 1
    return [item for _, item in sorted(keyed, key=lambda pair: pair[0])]
