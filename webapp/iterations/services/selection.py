"""Which prompts an iteration works on, and which responses people are asked about."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from typing import Any

from django.db.models import FloatField, Func, Value
from django.db.models.functions import MD5, Coalesce

from loop.annotate.order import Askable, choose
from loop.annotate.variance import Said, disagreement, telling_pair
from loop.recipe import AnnotatePart
from loop.records import Author, Origin, Split, Verdict
from webapp.iterations.models import Iteration
from webapp.projects.models import Prompt
from webapp.traces.models import Critique, Response

# Of the tasks in convincing-wrong order, this share is drawn uniformly: statistics over people's
# answers stay unbiased only if some tasks were not chosen for being hard (PRM800K lacks this slice).
UNIFORM_SHARE = 0.5


class ElementMean(Func):
    """Mean of an array's elements; null for an empty array."""

    template = "(SELECT avg(element) FROM unnest(%(expressions)s) AS element)"
    output_field = FloatField()


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


def annotation_items(iteration: Iteration, part: AnnotatePart) -> list[Item]:
    """What people are asked, best first."""
    rows = (
        Response.objects.filter(iteration=iteration, origin=Origin.SAMPLE.value)
        .exclude(text="")
        .order_by("prompt_id", "id")
        .annotate(sure=Coalesce(ElementMean("logprobs"), -1e9))  # as `loop.annotate.order.confidence`
    )
    compared = part.kind == "preference"  # only there two texts are compared, and a digest is enough
    columns = rows.annotate(digest=MD5("text") if compared else Value("")).values_list(
        "id", "prompt_id", "verdict", "sure", "digest"
    )
    texts: dict[str, str] = {}
    items: list[Askable] = []
    # The numbers of every token stay in the database: they would fill the memory inside a tick.
    for pk, prompt_id, verdict, sure, digest in columns.iterator(chunk_size=2000):
        items.append(Askable(str(pk), str(prompt_id), Verdict(verdict), sure))
        if compared:
            texts[str(pk)] = digest
    if compared:
        return _pairs(items, texts, part, iteration.seed)
    if part.kind == "critique_review":
        return _reviews(items, _said(iteration), part, iteration.seed)
    return _singles(items, part, iteration.seed)


def _singles(items: list[Askable], part: AnnotatePart, seed: int) -> list[Item]:
    """One response per prompt: nobody reads the same question eight times."""
    chosen = _one_per_prompt(choose(items, part.order, len(items), seed))
    if part.order == "convincing_wrong":
        targeted = [a for a in chosen if a.verdict is Verdict.WRONG]
        targeted = targeted[: part.take - round(part.take * UNIFORM_SHARE)]
        seen = {a.prompt_id for a in targeted}
        uniform = _one_per_prompt(choose(items, "random", len(items), seed))
        chosen = [*targeted, *(a for a in uniform if a.prompt_id not in seen)]
    chosen = chosen[: part.take]
    return [(int(a.prompt_id), a.response_id, float(len(chosen) - i)) for i, a in enumerate(chosen)]


def _said(iteration: Iteration) -> dict[str, list[Said]]:
    """The model's readable critiques of each of its samples, as they were written."""
    rows = Critique.objects.filter(
        response__iteration=iteration,
        response__origin=Origin.SAMPLE.value,
        author_kind=Author.MODEL.value,
        parsed=True,
    ).order_by("created_at", "id")
    said: dict[str, list[Said]] = defaultdict(list)
    columns = rows.values_list("response_id", "id", "first_error", "verdict", MD5("text"))
    for response_id, pk, first_error, verdict, digest in columns.iterator(chunk_size=2000):
        said[str(response_id)].append(Said(str(pk), first_error, verdict, digest))
    return said


def _reviews(items: list[Askable], said: dict[str, list[Said]], part: AnnotatePart, seed: int) -> list[Item]:
    """One response per prompt with its latest critique, or with two: then the most contradicted first, and
    the recipe's order where the critiques contradict each other as much."""
    if part.critiques == 1:
        known = [a for a in items if a.response_id in said]
        return [
            (prompt_id, (response_id, [said[response_id][-1].critique_id]), priority)
            for prompt_id, response_id, priority in _singles(known, part, seed)
        ]
    pairs = {pk: pair for pk, of in said.items() if (pair := telling_pair(of))}
    known = [replace(a, variance=disagreement(said[a.response_id])) for a in items if a.response_id in pairs]
    ordered = choose(known, part.order, len(known), seed)
    ordered.sort(key=lambda a: -(a.variance or 0.0))  # stable
    chosen = _one_per_prompt(ordered)[: part.take]
    return [
        (
            int(a.prompt_id),
            (a.response_id, [s.critique_id for s in pairs[a.response_id]]),
            float(len(chosen) - i),
        )
        for i, a in enumerate(chosen)
    ]


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
