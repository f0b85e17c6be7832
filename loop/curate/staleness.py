"""How old a row is: how often the champion has changed since the model version that wrote it was in use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

PEOPLE = "people"  # written by a person: no policy's, so it does not age
UNKNOWN = "unknown"  # of no model version we know, e.g. imported


class Champions:
    """The champions of a project in their order; one that was rolled back to stands in it twice."""

    def __init__(self, order: Sequence[int]) -> None:
        self._order = list(order)

    def ages(self, now: int, versions: Iterable[tuple[int, int]]) -> dict[int, int]:
        """Version -> age as of ``now``, the version in use; each given with how many champions there had
        been when it was made (at least 1: the base model is the first).

        0: it is ``now`` itself. A version that never was champion counts as the one in use when it was
        made, but never as current.
        """
        last = len(self._order) - 1
        end = max((i for i, pk in enumerate(self._order) if pk == now), default=last)
        at = {pk: i for i, pk in enumerate(self._order[: end + 1])}  # where it last stood
        ages = {}
        for pk, made_under in versions:
            if pk == now:
                ages[pk] = 0
            elif pk in at:
                ages[pk] = end - at[pk]
            else:
                ages[pk] = max(1, end - (made_under - 1))
        return ages


def age_name(age: int | None, *, by_person: bool) -> str:
    """The age as histograms and pages name it."""
    return PEOPLE if by_person else UNKNOWN if age is None else str(age)
