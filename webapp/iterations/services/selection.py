"""Which prompts an iteration works on, and which responses people are asked about."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

from loop.recipe import AnnotatePart
from loop.records import Origin, Split
from webapp.iterations.models import Iteration
from webapp.projects.models import Prompt
from webapp.traces.models import Response

# Of the tasks in convincing-wrong order, this share is drawn uniformly: statistics over people's
# answers stay unbiased only if some tasks were not chosen for being hard (PRM800K lacks this slice).
UNIFORM_SHARE = 0.5

Item = tuple[int, Any, float]  # prompt id, response id (or ids), priority


def train_prompt_ids(iteration: Iteration, *, limit: int) -> list[int]:
    """At most ``limit`` train prompts, drawn by the iteration's seed, in a fixed order."""
    ids = list(
        Prompt.objects.filter(project=iteration.project, split=Split.TRAIN.value)
        .order_by("id")
        .values_list("id", flat=True)
    )
    random.Random(iteration.seed).shuffle(ids)
    return sorted(ids[:limit])


def annotation_items(iteration: Iteration, part: AnnotatePart) -> list[Item]:
    """What people are asked, best first: (prompt, response or responses, priority)."""
    rows = (
        Response.objects.filter(iteration=iteration, origin=Origin.SAMPLE.value)
        .exclude(text="")
        .order_by("prompt_id", "id")
        .values_list("id", "prompt_id", "verdict", "logprobs", "text")
    )
    by_prompt: dict[int, list[tuple[Any, str, float, str]]] = defaultdict(list)
    for pk, prompt_id, verdict, logprobs, text in rows.iterator(chunk_size=2000):
        confidence = sum(logprobs) / len(logprobs) if logprobs else float("-inf")
        by_prompt[prompt_id].append((pk, verdict, confidence, text))
    draw = random.Random(iteration.seed + 1)
    if part.kind == "preference":
        return _pairs(by_prompt, part, draw)
    return _singles(by_prompt, part, draw)


def _singles(
    by_prompt: dict[int, list[tuple[Any, str, float, str]]], part: AnnotatePart, draw: random.Random
) -> list[Item]:
    """One response per prompt: nobody reads the same question eight times."""
    uniform = [(p, draw.choice(rs)) for p, rs in by_prompt.items()]
    draw.shuffle(uniform)
    if part.order == "first_come":
        uniform.sort(key=lambda item: item[0])
    chosen: list[Item] = []
    if part.order == "convincing_wrong":
        wrong = [
            (p, max((r for r in rs if r[1] == "wrong"), key=lambda r: r[2]))
            for p, rs in by_prompt.items()
            if any(r[1] == "wrong" for r in rs)
        ]
        wrong.sort(key=lambda item: -item[1][2])
        take = part.take - round(part.take * UNIFORM_SHARE)
        chosen = [(p, r[0], 1.0 + take - i) for i, (p, r) in enumerate(wrong[:take])]
    seen = {p for p, _, _ in chosen}
    rest = [(p, r[0], 0.0) for p, r in uniform if p not in seen]
    return [*chosen, *rest[: part.take - len(chosen)]]


def _pairs(
    by_prompt: dict[int, list[tuple[Any, str, float, str]]], part: AnnotatePart, draw: random.Random
) -> list[Item]:
    """Two different responses per prompt, most confident first; right against wrong where there is one."""
    pairs: list[Item] = []
    for prompt_id, responses in by_prompt.items():
        best: dict[str, tuple[Any, str, float, str]] = {}
        for r in sorted(responses, key=lambda r: -r[2]):
            best.setdefault(r[3], r)
        distinct = list(best.values())
        if len(distinct) < 2:
            continue
        first = distinct[0]
        other = next((r for r in distinct[1:] if r[1] != first[1]), distinct[1])
        split = first[1] != other[1]
        pairs.append((prompt_id, [first[0], other[0]], float(split) + draw.random() / 2))
    pairs.sort(key=lambda item: -item[2])
    return pairs[: part.take]
