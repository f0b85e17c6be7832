"""Slices of the held-out prompts: a rise of the total can hide that one kind of prompt broke.

A prompt's slices depend on the prompt alone, never on what a model made of it: whoever picks the prompts that
the champion had right finds them fallen under any other model, by chance alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loop.evaluate.comparison import Outcomes, compare
from loop.evaluate.paired import fall_p_value, holm, paired
from loop.prompts.tags import tags_of
from loop.records import Prompt

DIFFICULTY = ("difficulty", "level")  # fields of a prompt's meta, the first that is there counts
FEW_VALUES = 6  # so many different difficulties are slices of their own; of more, thirds are made
MOST_TAGS = 50  # the most frequent ones: beyond that a tag is a name, not a kind
THIRDS = ("low", "middle", "high")


@dataclass(frozen=True, slots=True)
class Slice:
    by: str  # "tag", "difficulty" or "length"
    name: str
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class SliceResult:
    """How a slice came out. ``p_value`` is one-sided, of a fall, Holm-adjusted over all slices tested."""

    by: str
    name: str
    before: float
    after: float
    n: int
    gained: int
    lost: int
    p_value: float
    broken: bool


def slices_of(prompts: Iterable[Prompt]) -> list[Slice]:
    """The slices of these prompts: by tag, by difficulty where their meta says one, by length of the text.

    A slice that holds every prompt, or none, tells nothing and is left out.
    """
    everyone = list(prompts)
    tagged: dict[str, set[str]] = defaultdict(set)
    for prompt in everyone:
        for tag in tags_of(prompt):
            tagged[tag].add(prompt.id)
    frequent = sorted(tagged, key=lambda tag: (-len(tagged[tag]), tag))[:MOST_TAGS]
    found = [Slice("tag", tag, frozenset(tagged[tag])) for tag in sorted(frequent)]
    found += _by_difficulty({p.id: v for p in everyone if (v := _difficulty(p.meta)) is not None})
    found += _thirds("length", {p.id: len(p.text) for p in everyone})
    return [s for s in found if 0 < len(s.ids) < len(everyone)]


def _difficulty(meta: Mapping[str, Any]) -> Any:
    value = next((meta[name] for name in DIFFICULTY if meta.get(name) not in (None, "")), None)
    return value if isinstance(value, int | float | str) else None


def _by_difficulty(values: Mapping[str, Any]) -> list[Slice]:
    different = set(values.values())
    if len(different) > FEW_VALUES:
        numbers = {i: float(v) for i, v in values.items() if isinstance(v, int | float)}
        return _thirds("difficulty", numbers) if len(numbers) == len(values) else []
    ordered = sorted(different, key=lambda v: (isinstance(v, str), v))
    return [Slice("difficulty", str(v), frozenset(i for i in values if values[i] == v)) for v in ordered]


def _thirds(by: str, values: Mapping[str, float]) -> list[Slice]:
    """Three slices of about equal size; equal values stay together."""
    ranked = sorted(values.values())
    if not ranked:
        return []
    low, high = ranked[len(ranked) // 3], ranked[2 * len(ranked) // 3]
    tests: tuple[Callable[[float], bool], ...] = (
        lambda v: v < low,
        lambda v: low <= v < high,
        lambda v: v >= high,
    )
    return [
        Slice(by, name, frozenset(i for i, v in values.items() if test(v)))
        for name, test in zip(THIRDS, tests, strict=True)
    ]


def results(
    slices: Sequence[Slice], before: Outcomes, after: Outcomes, *, alpha: float, least: int
) -> list[SliceResult]:
    """Every slice with at least ``least`` prompts scored on both sides.

    ``broken``: it fell, by an exact one-sided McNemar test at ``alpha`` after Holm's correction over all of
    them. So at most a share ``alpha`` of challengers that broke nothing are held for a slice.
    """
    tested = []
    for one in slices:
        sides = [{i: side.get(i) for i in one.ids} for side in (before, after)]
        a, b, _ = paired(*sides)
        if len(a) >= least:
            tested.append((one, compare(*sides), fall_p_value(a, b)))
    adjusted = holm([p for *_, p in tested])
    return [
        SliceResult(
            one.by,
            one.name,
            c.before or 0.0,
            c.after or 0.0,
            c.n,
            len(c.gained),
            len(c.lost),
            p,
            p < alpha,
        )
        for (one, c, _), p in zip(tested, adjusted, strict=True)
    ]
