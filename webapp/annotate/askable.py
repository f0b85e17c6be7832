"""What is known of each response that people could be asked about: what the order policies read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models import Avg, FloatField, Func, QuerySet
from django.db.models.functions import Coalesce

from loop.annotate.order import NO_CONFIDENCE, Askable
from loop.annotate.variance import Said, disagreement
from loop.records import Author, Verdict
from webapp.annotate.models import AnnotationTask, TaskPurpose
from webapp.traces.models import Critique, Response, Score

CHUNK = 2000
SELF_VERDICT = "self_verdict"  # the score by which a model says how likely its own response is right


class ElementMean(Func):
    """Mean of an array's elements; null for an empty array."""

    template = "(SELECT avg(element) FROM unnest(%(expressions)s) AS element)"
    output_field = FloatField()


def askables(rows: QuerySet[Response]) -> list[Askable]:
    """What is known of these responses, in their order. A constant number of queries.

    The numbers of every token stay in the database: they would fill the memory inside a tick.
    """
    ids = rows.order_by().values("pk")
    said = critiques_said(ids)
    scores = dict(
        Score.objects.filter(response__in=ids, name=SELF_VERDICT).values_list("response_id", "value")
    )
    history = _history(rows)
    columns = rows.annotate(sure=Coalesce(ElementMean("logprobs"), NO_CONFIDENCE)).values_list(
        "pk", "prompt_id", "verdict", "sure"
    )
    items = []
    for pk, prompt_id, verdict, sure in columns.iterator(chunk_size=CHUNK):
        checker = Verdict(verdict)
        of = said.get(str(pk), [])
        items.append(
            Askable(
                str(pk),
                str(prompt_id),
                checker,
                sure,
                judge=Verdict(of[-1].verdict) if of else None,
                checker=checker,
                score=_probability(scores.get(pk)),
                # People's own disagreement says more than the model's with itself.
                variance=history.get(prompt_id, disagreement(of) if len(of) > 1 else None),
            )
        )
    return list(_with_tails(items))


def critiques_said(response_ids: Any) -> dict[str, list[Said]]:
    """The model's readable critiques of each response, as they were written."""
    rows = Critique.objects.filter(
        response__in=response_ids, author_kind=Author.MODEL.value, parsed=True
    ).order_by("created_at", "pk")
    said: dict[str, list[Said]] = defaultdict(list)
    columns = rows.values_list("response_id", "pk", "first_error", "verdict", _Digest("text"))
    for response_id, pk, first_error, verdict, digest in columns.iterator(chunk_size=CHUNK):
        said[str(response_id)].append(Said(str(pk), first_error, verdict, digest))
    return said


class _Digest(Func):
    """Enough of a text to tell whether two are the same."""

    function = "md5"


def _probability(value: float | None) -> float | None:
    return value if value is not None and 0 <= value <= 1 else None


def _history(rows: QuerySet[Response]) -> dict[int, float]:
    """How far people disagreed before about responses to the same prompts, by prompt."""
    asked = AnnotationTask.objects.filter(
        prompt__in=rows.order_by().values("prompt_id"), purpose=TaskPurpose.LABEL, answers__gt=1
    )
    found = asked.order_by().values_list("prompt_id").annotate(mean=Avg("disagreement"))
    return {prompt: mean for prompt, mean in found if mean is not None}


def _with_tails(items: list[Askable]) -> Iterator[Askable]:
    """Each with how hard its prompt is: 1 - the share of its decided responses that are right."""
    decided, right = Counter[str](), Counter[str]()
    for item in items:
        if item.checker is not None and item.checker.decided:
            decided[item.prompt_id] += 1
            right[item.prompt_id] += item.checker is Verdict.RIGHT
    for item in items:
        n = decided[item.prompt_id]
        yield replace(item, tail=1 - right[item.prompt_id] / n) if n else item


def latest_critiques(response_ids: list[UUID]) -> dict[UUID, UUID]:
    """The model's latest readable critique of each response that has one."""
    rows = Critique.objects.filter(
        response__in=response_ids, author_kind=Author.MODEL.value, parsed=True
    ).order_by("created_at", "pk")
    return dict(rows.values_list("response_id", "pk"))
