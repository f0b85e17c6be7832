"""A uniform control slice beside what a policy chose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from random import Random

from loop.annotate.order._askable import Askable


def with_control(
    ordered: Sequence[Askable],
    share: float,
    seed: int,
    *,
    take: int | None = None,
    per_prompt: bool = False,
    pool: Sequence[Askable] | None = None,
) -> list[Askable]:
    """``ordered`` with a share of items drawn uniformly instead, spread evenly; those have ``control`` set.

    A policy asks about the hard cases, so shares over its items say nothing about the model; PRM800K
    lacks such a slice (Lightman et al., 2023, arXiv:2305.20050). The slice is drawn first and from
    everything, what the policy would have taken included: otherwise it would be a sample of the rest.
    It depends on the pool, ``seed`` and its size only, not on the policy. The policy loses nothing by it.

    Every response is as likely to be drawn as any other, or with ``per_prompt`` every prompt and then every
    response of it.

    Args:
        share: of the result, 0..1; the number is rounded.
        take: how many to return; None: all.
        per_prompt: at most one response per prompt, over both slices.
        pool: what the slice is drawn from, where ``ordered`` is only what is worth choosing; it also fills
            up when ``ordered`` runs out. None: ``ordered``.

    Raises:
        ValueError: ``share`` is not a share.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a control slice is a share from 0 to 1, not {share}")
    name = attrgetter("prompt_id" if per_prompt else "response_id")
    everyone = sorted(ordered if pool is None else pool, key=attrgetter("response_id"))
    rng = Random(f"control/{seed}")
    drawn = _firsts(rng.sample(everyone, len(everyone)), name)
    # Once more, for prompts: those with many responses come up early in a draw of responses.
    drawn = {key: drawn[key] for key in rng.sample(sorted(drawn), len(drawn))}
    chosen = _firsts(ordered, name)
    count = len(drawn.keys() | chosen.keys())
    count = count if take is None else max(0, min(take, count))
    control = dict(list(drawn.items())[: round(count * share)])
    # What the policy chose, in its order, then the draw again where that runs out: no control, since what
    # the policy took is missing from it.
    spare = {key: item for key, item in drawn.items() if key not in chosen}
    targeted = iter([item for key, item in {**chosen, **spare}.items() if key not in control])
    uniform = iter(control.values())
    size = len(control)
    return [
        replace(next(uniform), control=True)
        if (place + 1) * size // count > place * size // count
        else next(targeted)
        for place in range(count)
    ]


def _firsts(items: Iterable[Askable], name: attrgetter[str]) -> dict[str, Askable]:
    first: dict[str, Askable] = {}
    for item in items:
        first.setdefault(name(item), item)
    return first
