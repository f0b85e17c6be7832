"""Which weights may go: the rule alone, without rows and files."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

# The gate decided against it, or nobody ever meant to use it. A former champion is what one rolls back to.
SPENT = ("held", "control")


@dataclass(frozen=True, slots=True)
class Weights:
    """A version as the rule sees it. ``path`` names its adapter's folder; empty: it has no weights."""

    pk: int
    parent: int | None
    status: str
    made: datetime
    path: str


def removable(
    versions: Iterable[Weights], *, before: datetime, pinned: Collection[int], shared: Collection[str] = ()
) -> set[int]:
    """Versions whose weights nothing needs: held or control, made ``before``, not pinned, and of nothing kept
    an ancestor.

    Args:
        pinned: versions that open work refers to.
        shared: folders that versions of other projects have too.
    """
    by_pk = {v.pk: v for v in versions}
    gone = {
        v.pk
        for v in by_pk.values()
        if v.path and v.path not in shared and v.status in SPENT and v.made < before and v.pk not in pinned
    }
    while True:
        kept = [v for v in by_pk.values() if v.pk not in gone and (v.path or v.pk in pinned)]
        folders = {v.path for v in kept if v.path}
        needed = {pk for v in kept for pk in ancestors(v, by_pk)}
        needed |= {v.pk for v in by_pk.values() if v.path in folders}
        if not gone & needed:
            return gone
        gone -= needed  # what stays has ancestors and a folder of its own: look again


def ancestors(version: Weights, by_pk: dict[int, Weights]) -> set[int]:
    """Everything the version was trained from, through versions whose weights went long ago as well."""
    found: set[int] = set()
    at = version.parent
    while at is not None and at in by_pk and at not in found:
        found.add(at)
        at = by_pk[at].parent
    return found
