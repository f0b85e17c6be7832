"""Whether a judge of pairs judges what is said, or where it stands, how long it is, and who wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pair:
    """A judge's choice between two responses, as they were put to it.

    ``winner``: 0 or 1 in the order put, None for a tie. ``longer``: which is longer, None where equal.
    ``own``: which one the judge's own model wrote, None where both or neither.
    ``people``: which one people chose, None where they did not decide.
    """

    winner: int | None
    longer: int | None = None
    own: int | None = None
    people: int | None = None
    ordered: bool = True  # false: it saw them one by one, so that no place can win


COUNTS = (
    "judged", "agrees", "decided", "first", "unequal", "longer", "people_longer", "people_unequal", "mixed",
    "own", "people_own",
)  # fmt: skip


def pair_counts(pair: Pair) -> Mapping[str, int]:
    """What one choice adds. ``judged``: pairs that people and judge both decided; ``decided``: those put in an
    order; ``mixed``: of one's own and another's response, that people decided too."""
    if pair.winner is None:
        return {}
    counts = {"decided": int(pair.ordered), "first": int(pair.ordered and pair.winner == 0)}
    if pair.people is None:
        return counts
    counts |= {"judged": 1, "agrees": int(pair.winner == pair.people)}
    if pair.longer is not None:
        counts |= {
            "unequal": 1,
            "longer": int(pair.winner == pair.longer),
            "people_longer": int(pair.people == pair.longer),
        }
    if pair.own is not None:
        counts |= {"mixed": 1, "own": int(pair.winner == pair.own), "people_own": int(pair.people == pair.own)}
    return counts


def excess(judge: Any, people: Any, pairs: Any) -> Any:
    """How much more often than people the judge chooses that side, on the same pairs: the length bias
    (Dubois et al., 2024, arXiv:2404.04475) and the self-preference (Panickssery et al., 2024,
    arXiv:2404.13076) that people's own taste for long or for good answers does not explain."""
    return (judge - people) / pairs
