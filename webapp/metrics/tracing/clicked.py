"""One answer as its author clicked it: the marks step by step, when, how long, and what was changed later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from webapp.accounts.models import User
from webapp.annotate.changes import Version, versions_of
from webapp.annotate.models import Annotation, TaskKind
from webapp.annotate.reviewing import said_of, steps_of
from webapp.curate.listing import visible
from webapp.curate.models import Example
from webapp.metrics.tracing.examples import author_shown
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least
from webapp.traces.models import Response

# mark -> (sign, word, tone)
_MARKS: dict[int | None, tuple[str, Promise, str]] = {
    -1: ("−", lazy("wrong"), "bad"),
    0: ("0", lazy("neutral"), ""),
    1: ("+", lazy("good"), "good"),
    None: ("·", lazy("unjudged"), ""),
}
_UNSURE = ("?", lazy("unsure"), "warn")


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it was judged. ``seconds``: how long the person looked at it."""

    number: int
    text: str
    sign: str
    word: Any
    tone: str
    first_error: bool
    kind: str = ""
    comment: str = ""
    correction: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A response of a comparison. ``place``: where it was shown, from 1."""

    number: int
    place: int | None
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Clicked:
    answer: Annotation
    author: str
    own: bool
    may_open: bool  # the page of its task, or of its history
    word: str
    steps: list[Step]
    candidates: list[Candidate]
    versions: list[Version]
    examples: list[Example]


def answer_for(project: Project, reader: User, pk: int) -> Annotation:
    """The answer: for leads and its author; for others where an example of it may be seen.

    Raises:
        Http404: there is none, or it is not for this reader.
    """
    found = (
        Annotation.objects.select_related("user", "task__prompt", "task__response", "guideline_version")
        .defer("task__response__token_ids", "task__response__logprobs")
        .filter(pk=pk, task__project=project)
        .first()
    )
    if found is None or not _may_see(project, reader, found):
        raise Http404(_("There is no such answer, or it is not for you to see."))
    return found


def _may_see(project: Project, reader: User, answer: Annotation) -> bool:
    if at_least(project.my_role, Role.LEAD) or answer.user_id == reader.pk:
        return True
    return visible(project, Example.objects.filter(annotations=answer)).exists()


def clicked(project: Project, reader: User, answer: Annotation) -> Clicked:
    """Everything that is shown of an answer, besides the way up. Three queries at most."""
    lead, own = at_least(project.my_role, Role.LEAD), answer.user_id == reader.pk
    kind = answer.task.kind
    return Clicked(
        answer=answer,
        author=author_shown(project, reader, answer.user),
        own=own,
        may_open=lead or own,
        word=said_of(kind, answer.outcome, answer.payload),
        steps=_steps(answer),
        candidates=_candidates(answer) if kind == TaskKind.PREFERENCE else [],
        versions=versions_of(answer),
        examples=list(
            answer.examples.defer("row", "row_sha").select_related("prompt", "rejected").order_by("id")
        ),
    )


def _steps(answer: Annotation) -> list[Step]:
    content, response = steps_of(answer.task.kind, answer), answer.task.response
    if content is None or response is None:
        return []
    marks, unsure = content["marks"], set(content.get("unsure") or [])
    first = content.get("first_error")
    found = []
    for step in response.steps:
        key, mark = str(step.index), marks[step.index] if step.index < len(marks) else None
        sign, word, tone = _UNSURE if step.index in unsure else _MARKS[mark]
        found.append(
            Step(
                step.index + 1, step.text, sign, word, tone, step.index == first,
                (content.get("kinds") or {}).get(key, ""), (content.get("comments") or {}).get(key, ""),
                (content.get("corrections") or {}).get(key, ""), answer.step_seconds.get(key),
            )
        )  # fmt: skip
    return found


def _candidates(answer: Annotation) -> list[Candidate]:
    ids = answer.task.response_ids
    texts: dict[Any, str] = dict(Response.objects.filter(pk__in=ids).values_list("pk", "text"))
    order = answer.shown.get("order") or []
    winner = answer.payload.get("winner") if answer.outcome == Annotation.Outcome.ANSWERED else None
    return [
        Candidate(i + 1, order.index(i) + 1 if i in order else None, texts.get(pk, ""), i == winner)
        for i, pk in enumerate(ids)
    ]
