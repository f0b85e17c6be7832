"""The prompts a number was measured on, and the responses of one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from webapp.accounts.models import User
from webapp.annotate.models import Annotation, AnnotationTask, TaskState
from webapp.curate.models import Example
from webapp.iterations.models import Iteration
from webapp.metrics.models import PromptFigures
from webapp.metrics.tracing.wanted import Wanted
from webapp.projects.models import Project, Prompt, Role
from webapp.projects.permissions import at_least
from webapp.registry.comparing import ALL, SHOWS, Both, Pair, both_page, outcomes_paired, outcomes_shown
from webapp.traces.models import Response

PER_PAGE = 12
MOST_RESPONSES = 64  # of one prompt in one iteration; recipes sample fewer
_ORDER: dict[str, tuple[Any, ...]] = {
    "hardest": ("solved", "prompt_id"),
    "easiest": ("-solved", "prompt_id"),
    "longest": (F("tokens").desc(nulls_last=True), "prompt_id"),
    "answers": ("-answers", "prompt_id"),
}


# ---- what was measured on held-out and probe prompts ----------------------------------------------------


def outcome_counts(pair: Pair) -> dict[str, int]:
    """How many prompts came out how: by the keys of `SHOWS`, and ``all``. One query."""
    rows = outcomes_paired(pair).order_by().values("verdict", "was").annotate(n=Count("id"))
    found = {(row["was"], row["verdict"]): row["n"] for row in rows}
    counts = {name: found.get(verdicts, 0) for name, verdicts in SHOWS.items()}
    return counts | {ALL: sum(found.values())}


def outcomes_page(pair: Pair, wanted: Wanted) -> tuple[Page, list[Both]]:
    """One page of prompts with both outcomes, without the texts of the responses' tokens."""
    rows = outcomes_shown(pair, wanted.of if wanted.of in SHOWS else ALL)
    return both_page(pair, rows.defer("response__token_ids", "response__logprobs"), wanted.page, PER_PAGE)


def both_of(pair: Pair, prompt_id: int) -> Both:
    """Both outcomes on one prompt.

    Raises:
        Http404: it was not among those measured.
    """
    _page, rows = both_page(pair, outcomes_shown(pair).filter(prompt=prompt_id), 1, 1)
    if not rows:
        raise Http404(_("Prompt {number} was not measured here.").format(number=prompt_id))
    return rows[0]


# ---- what was measured on samples of train prompts -------------------------------------------------------


def figures_of(project: Project, iteration: Iteration, wanted: Wanted) -> QuerySet[PromptFigures]:
    """What each prompt contributed, hardest first unless asked otherwise.

    Below lead without prompts that people are being asked about: how often the model is right would tell.
    """
    rows = PromptFigures.objects.filter(iteration=iteration).annotate(
        solved=F("right") * 1.0 / (F("scored") + 0.001)
    )
    narrowed = {
        "solve_none": Q(right=0, scored__gt=0),
        "solve_all": Q(right=F("scored"), scored__gt=0),
        "solve_some": Q(right__gt=0, right__lt=F("scored")),
        "majority_wrong": Q(majority=False),
        "kept": Q(kept__gt=0),
    }
    if wanted.of in narrowed:
        rows = rows.filter(narrowed[wanted.of])
    if not at_least(project.my_role, Role.LEAD):
        asked = AnnotationTask.objects.filter(prompt=OuterRef("prompt_id"), state=TaskState.OPEN)
        rows = rows.exclude(Exists(asked))
    return rows.select_related("prompt").order_by(*_ORDER[wanted.sort or "hardest"])


def figures_page(project: Project, iteration: Iteration, wanted: Wanted) -> Page:
    return Paginator(figures_of(project, iteration, wanted), PER_PAGE).get_page(wanted.page)


@dataclass(frozen=True, slots=True)
class Sample:
    """A response with what was made of it."""

    response: Response
    answers: int
    examples: int


def prompt_for(project: Project, pk: int | None) -> Prompt:
    found = project.prompts.filter(pk=pk or 0).first()
    if found is None:
        raise Http404(_("There is no prompt {number}.").format(number=pk))
    return found


def samples_of(iteration: Iteration, prompt: Prompt) -> list[Sample]:
    """The prompt's responses in the iteration, with how many answers and examples rest on each."""
    responses = (
        prompt.responses.filter(iteration=iteration)
        .defer("token_ids", "logprobs", "sampling")
        .annotate(examples_n=Count("examples"))
        .order_by("created_at", "id")[:MOST_RESPONSES]
    )
    answered: dict[Any, int] = {}
    tasks = AnnotationTask.objects.filter(prompt=prompt, iteration=iteration, answers__gt=0)
    for one, several, n in tasks.values_list("response_id", "response_ids", "answers"):
        for pk in (one, *several):
            answered[pk] = answered.get(pk, 0) + n
    return [Sample(r, answered.get(r.pk, 0), r.examples_n) for r in responses]


def response_for(iteration: Iteration, pk: str) -> Response:
    """A response of the iteration, with its scores; token ids left out.

    Raises:
        Http404: there is none.
    """
    found = (
        Response.objects.filter(pk=pk, iteration=iteration)
        .select_related("prompt", "model_version", "author")
        .defer("token_ids", "logprobs")
        .prefetch_related("scores")
        .first()
    )
    if found is None:
        raise Http404(_("There is no such response in this iteration."))
    return found


def about_response(iteration: Iteration, response: Response) -> tuple[list[Annotation], list[Example]]:
    """(answers given about a response, examples made of it)"""
    about = Q(task__response=response) | Q(task__response_ids__contains=[response.pk])
    answers = Annotation.objects.filter(about, task__prompt=response.prompt_id).select_related("user", "task")
    examples = Example.objects.filter(response=response).defer("row").order_by("id")
    return list(answers.order_by("id")), list(examples)


def answers_page(
    iteration: Iteration, reader: User | None, before: int | None
) -> tuple[list[Annotation], bool]:
    """The answers that an iteration collected, newest first; of ``reader`` alone where one is given. Whether
    there are older ones comes with them."""
    answers = Annotation.objects.filter(task__iteration=iteration).select_related("user", "task__prompt")
    if reader is not None:
        answers = answers.filter(user=reader)
    if before:
        answers = answers.filter(pk__lt=before)
    found = list(answers.order_by("-id")[: PER_PAGE + 1])
    return found[:PER_PAGE], len(found) > PER_PAGE
