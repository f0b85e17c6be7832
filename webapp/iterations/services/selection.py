"""Which prompts an iteration works on, and which responses people are asked about."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from typing import Any

from django.db.models.functions import MD5

from loop.annotate.order import Askable, choose, with_control
from loop.annotate.variance import Said, disagreement, telling_pair
from loop.recipe_parts import AnnotatePart
from loop.records import Origin, Split, Verdict
from webapp.annotate.askable import askables, critiques_said
from webapp.iterations.models import Iteration
from webapp.projects.models import Prompt
from webapp.traces.models import Response

# Of tasks in an order that seeks something, this share is drawn uniformly: statistics over people's
# answers stay unbiased only if some tasks were not chosen for being hard (PRM800K lacks this slice).
UNIFORM_SHARE = 0.5
UNIFORM_ALREADY = ("random", "first_come")


Item = tuple[int, Any, float]  # as `webapp.annotate.services.tasks_create` takes them


def train_prompt_ids(iteration: Iteration, *, limit: int) -> list[int]:
    """At most ``limit`` train prompts, drawn by the iteration's seed, in a fixed order."""
    ids = list(
        Prompt.objects.filter(project=iteration.project, split=Split.TRAIN.value)
        .order_by("id")
        .values_list("id", flat=True)
    )
    random.Random(iteration.seed).shuffle(ids)
    return sorted(ids[:limit])


def annotation_items(iteration: Iteration, part: AnnotatePart) -> tuple[list[Item], set[str]]:
    """What people are asked, best first, and which of the responses asked about were drawn uniformly."""
    rows = (
        Response.objects.filter(iteration=iteration, origin=Origin.SAMPLE.value)
        .exclude(text="")
        .order_by("prompt_id", "id")
    )
    items = askables(rows)
    if part.kind == "preference":  # only there two texts are compared, and a digest is enough
        digests = {str(pk): digest for pk, digest in rows.values_list("id", MD5("text"))}
        return _pairs(items, digests, part, iteration.seed), set()
    if part.kind == "critique_review":
        return _reviews(items, critiques_said(rows.order_by().values("pk")), part, iteration.seed)
    return _singles(items, part, iteration.seed)


def _singles(items: list[Askable], part: AnnotatePart, seed: int) -> tuple[list[Item], set[str]]:
    """One response per prompt: nobody reads the same question eight times."""
    ordered = choose(items, part.order, len(items), seed)
    if part.order == "convincing_wrong":
        ordered = [a for a in ordered if a.verdict is Verdict.WRONG]
    share = 0.0 if part.order in UNIFORM_ALREADY else UNIFORM_SHARE
    chosen = with_control(ordered, share, seed, take=part.take, per_prompt=True, pool=items)
    asked = [(int(a.prompt_id), a.response_id, float(len(chosen) - i)) for i, a in enumerate(chosen)]
    return asked, {a.response_id for a in chosen if a.control}


def _reviews(
    items: list[Askable], said: dict[str, list[Said]], part: AnnotatePart, seed: int
) -> tuple[list[Item], set[str]]:
    """One response per prompt with its latest critique, or with two: then the most contradicted first, and
    the recipe's order where the critiques contradict each other as much."""
    if part.critiques == 1:
        singles, control = _singles([a for a in items if a.response_id in said], part, seed)
        reviews: list[Item] = [
            (prompt_id, (response_id, [said[response_id][-1].critique_id]), priority)
            for prompt_id, response_id, priority in singles
        ]
        return reviews, control
    pairs = {pk: pair for pk, of in said.items() if (pair := telling_pair(of))}
    known = [replace(a, variance=disagreement(said[a.response_id])) for a in items if a.response_id in pairs]
    ordered = choose(known, part.order, len(known), seed)
    ordered.sort(key=lambda a: -(a.variance or 0.0))  # stable
    chosen = _one_per_prompt(ordered)[: part.take]
    compared: list[Item] = [
        (
            int(a.prompt_id),
            (a.response_id, [s.critique_id for s in pairs[a.response_id]]),
            float(len(chosen) - i),
        )
        for i, a in enumerate(chosen)
    ]
    return compared, set()


def _one_per_prompt(items: list[Askable]) -> list[Askable]:
    first: dict[str, Askable] = {}
    for item in items:
        first.setdefault(item.prompt_id, item)
    return list(first.values())


def _pairs(items: list[Askable], texts: dict[str, str], part: AnnotatePart, seed: int) -> list[Item]:
    """Two different responses per prompt, right against wrong where there is one, else the two surest."""
    by_prompt: dict[str, list[Askable]] = defaultdict(list)
    for item in sorted(items, key=lambda a: -a.confidence):
        if texts[item.response_id] not in {texts[a.response_id] for a in by_prompt[item.prompt_id]}:
            by_prompt[item.prompt_id].append(item)
    pairs: list[tuple[Askable, Askable]] = []
    for distinct in by_prompt.values():
        if len(distinct) > 1:
            first = distinct[0]
            pairs.append((first, next((a for a in distinct[1:] if a.verdict != first.verdict), distinct[1])))
    random.Random(seed).shuffle(pairs)
    pairs.sort(key=lambda pair: pair[0].verdict == pair[1].verdict)  # decided ones first; stable
    pairs = pairs[: part.take]
    return [
        (int(a.prompt_id), [a.response_id, b.response_id], float(len(pairs) - i))
        for i, (a, b) in enumerate(pairs)
    ]
