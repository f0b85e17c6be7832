"""Which held-out prompts a decision may use: every look at a prompt leaks a little, so prompts wear out."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chosen:
    """``number`` counts from 0. ``ids`` are in order; none when every prompt has been used up."""

    number: int
    of: int
    uses: int  # decisions before this one that its most used prompt took part in
    budget: int | None
    ids: tuple[int, ...]
    worn: int  # held-out prompts, of all slices, that are used up

    @property
    def exhausted(self) -> bool:
        return not self.ids and self.worn > 0


def slice_of(family: str, slices: int) -> int:
    """The slice of a prompt family, drawn by hash: the same for ever, whatever else is imported."""
    digest = hashlib.blake2b(family.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) % slices


def choose(
    families: Mapping[int, str], uses: Mapping[int, int], *, slices: int, budget: int | None, limit: int
) -> Chosen:
    """The slice that was used least, without the prompts that were used ``budget`` times.

    ``families``: held-out prompt id -> its family; ``uses``: prompt id -> decisions it took part in.
    Prompts imported later are fresh and join the slices, so new prompts make the gate usable again.
    """
    fresh: dict[int, list[int]] = defaultdict(list)
    worn = 0
    for pk in sorted(families):
        if budget is not None and uses.get(pk, 0) >= budget:
            worn += 1
        else:
            fresh[slice_of(families[pk], slices)].append(pk)
    if not fresh:
        return Chosen(0, slices, budget or 0, budget, (), worn)
    mean = {number: sum(uses.get(pk, 0) for pk in ids) / len(ids) for number, ids in fresh.items()}
    number = min(fresh, key=lambda n: (mean[n], n))
    ids = tuple(fresh[number][:limit])
    return Chosen(number, slices, max(uses.get(pk, 0) for pk in ids), budget, ids, worn)
