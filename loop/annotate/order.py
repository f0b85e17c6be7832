"""Which responses to ask people about first. Pure functions over what is known of each response."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from loop.records import Response, Verdict


@dataclass(frozen=True, slots=True)
class Askable:
    """A response that people could judge. ``confidence``: the model's mean log-probability per token."""

    response_id: str
    prompt_id: str
    verdict: Verdict | None = None  # the checker's, else the model's own; None: nobody said
    confidence: float = 0.0


def confidence(response: Response) -> float:
    """Mean log-probability per token; very low where the engine gave none."""
    return sum(response.logprobs) / len(response.logprobs) if response.logprobs else -1e9


def choose(items: Sequence[Askable], order: str, take: int, seed: int) -> list[Askable]:
    """The first ``take`` in the named order, as `loop.recipe.AnnotatePart` names them.

    Raises:
        LookupError: no such order.
    """
    orders = {"convincing_wrong": convincing_wrong, "random": at_random, "first_come": first_come}
    if order not in orders:
        raise LookupError(f"no order called {order!r}; there are: {', '.join(orders)}")
    return orders[order](items, seed)[:take]


def convincing_wrong(items: Sequence[Askable], seed: int) -> list[Askable]:
    """Wrong and yet sure of it first (Lightman et al., 2023, arXiv:2305.20050): there a mark teaches most.

    Then the undecided, then the right ones, the least sure of them first; prompts take turns, so that
    one hard prompt does not fill the list. ``seed`` breaks equal confidence.
    """
    rng = Random(f"order/{seed}")
    tie = {item.response_id: rng.random() for item in items}

    def rank(item: Askable) -> tuple[int, float, float]:
        group = {Verdict.WRONG: 0, Verdict.RIGHT: 2}.get(item.verdict, 1) if item.verdict else 1
        return group, item.confidence if group == 2 else -item.confidence, tie[item.response_id]

    ordered = sorted(items, key=rank)
    turn: dict[tuple[int, str], int] = defaultdict(int)
    keyed = []
    for position, item in enumerate(ordered):
        group = rank(item)[0]
        keyed.append((group, turn[group, item.prompt_id], position))
        turn[group, item.prompt_id] += 1
    return [ordered[position] for _, _, position in sorted(keyed)]


def at_random(items: Sequence[Askable], seed: int) -> list[Askable]:
    """Shuffled, prompts taking turns."""
    rng = Random(f"order/{seed}")
    shuffled = rng.sample(list(items), len(items))
    turn: dict[str, int] = defaultdict(int)
    keyed = []
    for position, item in enumerate(shuffled):
        keyed.append((turn[item.prompt_id], position))
        turn[item.prompt_id] += 1
    return [shuffled[position] for _, position in sorted(keyed)]


def first_come(items: Sequence[Askable], seed: int) -> list[Askable]:
    """As they were written."""
    return list(items)
