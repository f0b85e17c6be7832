"""Which of the rows there are go into a dataset version, and with what weight.

Nothing is ever repeated to reach a share: sources that are too large are thinned out. All draws depend on the
seed and a row's hash alone, so the same rows give the same mixture in whatever order they are listed, and a
row more changes few others.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any, NamedTuple

from loop.curate.staleness import age_name
from loop.phrases import phrase
from loop.recipe_parts import CuratePart

REPLAYED = "replayed"
REST = ""  # the sources that ``shares`` does not name, together
DUPLICATE = phrase("the same text as another row")
LEAKED = phrase("its prompt is a near-copy of a held-out prompt")
TOO_OLD = phrase("written by a model version that is too old")
TOO_MANY = phrase("more rows of its prompt than allowed")
REPLAYED_ENOUGH = phrase("more is replayed than allowed")
THINNED = phrase("thinned out for the wanted shares")


class Row(NamedTuple):
    """What the mixture needs to know of an example. ``text`` is equal for rows of the same text."""

    pk: int
    row_sha: str
    text: str
    kind: str
    accepted_by: str
    prompt_id: int
    age: int | None = None  # in champions; None: written by a person, or by nobody knows what
    by_person: bool = False
    replayed: bool = False

    @property
    def source(self) -> str:
        return REPLAYED if self.replayed else self.accepted_by


@dataclass(frozen=True, slots=True)
class Mixture:
    """``rows`` in the order they came in; ``weights`` has an entry for each whose weight is multiplied."""

    rows: list[Row]
    weights: dict[int, float]
    dropped: dict[str, int]  # most frequent reason first
    missing: list[str] = field(default_factory=list)  # sources with a wanted share and no row

    def facts(self) -> dict[str, Any]:
        """Counts for a manifest."""
        ages = Counter(age_name(row.age, by_person=row.by_person) for row in self.rows)
        return {
            "sources": dict(Counter(row.source for row in self.rows)),
            "ages": {name: ages[name] for name in sorted(ages, key=lambda a: (not a.isdigit(), len(a), a))},
            "replayed": sum(row.replayed for row in self.rows),
            "deduplicated": self.dropped.get(DUPLICATE, 0),
            "missing": self.missing,
        }


def mixture(
    rows: Iterable[Row], part: CuratePart, *, seed: int = 0, leaked: Collection[int] = frozenset()
) -> Mixture:
    """Apply the limits of ``part`` in this order: near-copies of held-out prompts (``leaked``: ids of train
    prompts), age, repeats, rows per prompt, what is replayed, shares; then the weights.

    Of rows with the same text, and of a prompt's too many rows, those accepted by people are kept first, then
    this iteration's before replayed ones, then those that come first. Rows of unknown age are not too old.
    """
    dropped: Counter[str] = Counter()
    kept = []
    for row in rows:
        if row.prompt_id in leaked:
            dropped[LEAKED] += 1
        elif part.max_age is not None and row.age is not None and row.age > part.max_age:
            dropped[TOO_OLD] += 1
        else:
            kept.append(row)
    kept = _left(kept, _repeats(kept), DUPLICATE, dropped)
    if part.max_rows_per_prompt is not None:
        kept = _left(kept, _beyond(kept, part.max_rows_per_prompt), TOO_MANY, dropped)
    if part.replay_share is not None:
        kept = _left(kept, _over_replayed(kept, part.replay_share, seed), REPLAYED_ENOUGH, dropped)
    missing: list[str] = []
    if part.shares:
        over, missing = _over_shares(kept, dict(part.shares), seed)
        kept = _left(kept, over, THINNED, dropped)
    factors = {source: factor for source, factor in part.weights.items() if factor != 1}
    weights = {row.pk: factors[row.source] for row in kept if row.source in factors}
    return Mixture(kept, weights, dict(sorted(dropped.items(), key=lambda d: (-d[1], d[0]))), missing)


def _left(rows: list[Row], out: set[int], reason: str, dropped: Counter[str]) -> list[Row]:
    if out:
        dropped[reason] += len(out)
    return [row for row in rows if row.pk not in out]


def _preferred(row: Row) -> tuple[bool, bool]:
    return row.accepted_by != "people", row.replayed


def _repeats(rows: Sequence[Row]) -> set[int]:
    first: dict[tuple[str, int, str], Row] = {}
    out = set()
    for row in rows:
        key = (row.kind, row.prompt_id, row.text)
        other = first.get(key)
        if other is None or _preferred(row) < _preferred(other):
            first[key] = row
            if other is not None:
                out.add(other.pk)
        else:
            out.add(row.pk)
    return out


def _beyond(rows: Sequence[Row], most: int) -> set[int]:
    by_prompt: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_prompt[row.prompt_id].append(row)
    return {
        row.pk
        for mine in by_prompt.values()
        if len(mine) > most
        for row in sorted(mine, key=_preferred)[most:]
    }


def _drawn_out(rows: Sequence[Row], keep: int, seed: int) -> set[int]:
    """All but ``keep`` of the rows, drawn by hash."""
    return {row.pk for row in sorted(rows, key=lambda row: _draw(row, seed))[keep:]}


def _draw(row: Row, seed: int) -> tuple[bytes, int]:
    return hashlib.blake2b(f"{seed}/{row.row_sha}".encode(), digest_size=8).digest(), row.pk


def _over_replayed(rows: Sequence[Row], share: float, seed: int) -> set[int]:
    old = [row for row in rows if row.replayed]
    wanted = Fraction(str(share))
    return _drawn_out(old, floor(wanted * (len(rows) - len(old)) / (1 - wanted)), seed)


def _over_shares(rows: Sequence[Row], shares: dict[Any, float], seed: int) -> tuple[set[int], list[str]]:
    groups: dict[str, list[Row]] = {name: [] for name in (*shares, REST)}
    for row in rows:
        groups[row.source if row.source in shares else REST].append(row)
    exact = {name: Fraction(str(share)) for name, share in shares.items()}
    exact[REST] = 1 - sum(exact.values(), Fraction(0))
    quotas = apportion({name: len(mine) for name, mine in groups.items()}, exact)
    out = set().union(*(_drawn_out(mine, quotas[name], seed) for name, mine in groups.items()))
    return out, sorted(name for name in shares if exact[name] and not groups[name])


def apportion(sizes: Mapping[str, int], shares: Mapping[str, Fraction]) -> dict[str, int]:
    """How many of each group to keep so that the shares hold and as many rows as possible stay.

    A group without rows is left out and the others' shares grow in proportion: a first iteration has
    nothing to replay. Fractions of a row go to the largest remainders (Hamilton's method).
    """
    wanted = {name: share for name, share in shares.items() if share > 0 and sizes[name]}
    total = sum(wanted.values(), Fraction(0))
    quotas = dict.fromkeys(sizes, 0)
    if not total:
        return quotas
    wanted = {name: share / total for name, share in wanted.items()}
    size = floor(min(sizes[name] / share for name, share in wanted.items()))
    due = {name: size * share for name, share in wanted.items()}
    quotas |= {name: floor(share) for name, share in due.items()}
    left = size - sum(quotas.values())
    for name in sorted(due, key=lambda n: (quotas[n] - due[n], n))[:left]:
        quotas[name] += 1
    return quotas
