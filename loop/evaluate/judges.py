"""Whether a judge of pairs judges what is said, or where it stands, how long it is, and who wrote it.

Shares of its choices; a half is no bias. What of a bias is people's own taste is told beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

EQUAL = -1  # people call it a tie, or both bad


@dataclass(frozen=True, slots=True)
class Pair:
    """A judge's choice between two responses, in the order in which they were put to it.

    ``winner``: 0 or 1, None for a tie. ``longer``: which is longer, None where equal. ``people``: which one
    people chose, `EQUAL`, or None where nobody said. ``placed``: false where it saw them one by one, so that
    no place can win.
    """

    winner: int | None
    longer: int | None = None
    people: int | None = None
    placed: bool = True


COUNTS = (
    "judged", "agrees", "placed", "first", "unequal", "longer", "both_unequal", "both_longer",
    "people_longer",
)  # fmt: skip


def pair_counts(pair: Pair) -> Mapping[str, int]:
    """What one choice adds; a tie adds nothing.

    ``judged``: pairs that people decided too. ``placed`` and ``first``: put in an order, and the first won.
    ``unequal`` and ``longer``: of different length, and the longer won (Zheng et al., 2023,
    arXiv:2306.05685); ``both_unequal``: those of them that people decided too, in which the longer won by the
    judge's word (``both_longer``) and by people's (``people_longer``).
    """
    if pair.winner is None:
        return {}
    counts = {"placed": int(pair.placed), "first": int(pair.placed and pair.winner == 0)}
    if pair.longer is not None:
        counts |= {"unequal": 1, "longer": int(pair.winner == pair.longer)}
    if pair.people is not None and pair.people != EQUAL:
        counts |= {"judged": 1, "agrees": int(pair.winner == pair.people)}
        if pair.longer is not None:
            counts |= {
                "both_unequal": 1,
                "both_longer": int(pair.winner == pair.longer),
                "people_longer": int(pair.people == pair.longer),
            }
    return counts


def flips(first: int | None, swapped: int | None) -> bool:
    """Whether a judge names another winner once the two are swapped; both as indexes in the order put, so
    that who is consistent says 0 and then 1. A tie flips into a winner, and the other way round."""
    return first != (None if swapped is None else 1 - swapped)


def own_share(first: int | None, swapped: int | None, own: int) -> float:
    """How far a judge prefers its own of two responses, over both orders: (P_fwd + P_bwd) / 2, a tie being a
    half (Panickssery et al., 2024, arXiv:2404.13076). Who always names the same place has a half.

    ``own``: the index of its own in the first order; the choices are as for `flips`.
    """
    forwards = 0.5 if first is None else float(first == own)
    backwards = 0.5 if swapped is None else float(swapped == 1 - own)
    return (forwards + backwards) / 2
