"""The blind comparison: people choose between champion's and challenger's answers, not knowing whose."""

from __future__ import annotations

from collections import defaultdict
from random import Random

from django.db.models.functions import MD5

from loop.promote import Blind, blind_result
from webapp.annotate.models import TaskPurpose
from webapp.annotate.selectors import gate_choices
from webapp.annotate.services import tasks_create
from webapp.iterations.models import Iteration
from webapp.registry.models import Evaluation, EvaluationOutcome
from webapp.traces.models import Response


def blind_tasks_make(
    *, iteration: Iteration, champion: Evaluation, challenger: Evaluation, pairs: int
) -> int:
    """Ask people about at most ``pairs`` held-out prompts, drawn by seed among those that the two answer
    differently. Returns how many tasks there are; 0 when every answer is the same."""
    said = [_answers(evaluation) for evaluation in (champion, challenger)]
    differ = [pk for pk in sorted(said[0].keys() & said[1].keys()) if said[0][pk][1] != said[1][pk][1]]
    rng = Random(f"blind/{iteration.seed}")
    items = []
    for place, pk in enumerate(rng.sample(differ, min(pairs, len(differ)))):
        ids = [said[0][pk][0], said[1][pk][0]]
        rng.shuffle(ids)  # not even the order of the columns tells; on the page it is drawn once more
        items.append((pk, ids, float(-place)))
    return tasks_create(
        iteration=iteration,
        kind="preference",
        purpose=TaskPurpose.GATE,
        items=items,
        show_model_critique=False,
    )


def _answers(evaluation: Evaluation) -> dict[int, tuple[str, str]]:
    """Prompt id -> (response id, digest of its text)."""
    rows = EvaluationOutcome.objects.filter(evaluation=evaluation, response__isnull=False).exclude(
        response__text=""
    )
    found = rows.annotate(digest=MD5("response__text")).values_list("prompt_id", "response_id", "digest")
    return {pk: (str(response), digest) for pk, response, digest in found}


def blind_of(iteration: Iteration) -> Blind:
    """What people chose so far."""
    asked, choices = gate_choices(iteration)
    chosen = [response for _, response in choices if response]
    authors = dict(Response.objects.filter(pk__in=chosen).values_list("pk", "model_version_id"))
    votes: dict[str, list[int]] = defaultdict(list)
    for task, response in choices:
        challengers = response and authors.get(response) == iteration.challenger_id
        votes[str(task)].append(0 if response is None else 1 if challengers else -1)
    return blind_result(asked, votes)
