"""What the lead's review shows: the list that waits, disagreements first, and one task with its votes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from string import ascii_uppercase
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from webapp.accounts.models import User
from webapp.annotate import selectors
from webapp.annotate.models import Adjudication, Annotation, AnnotationTask, TaskKind, TaskPurpose
from webapp.annotate.votes import disputed_steps, judgement
from webapp.projects.models import Project
from webapp.traces.models import Critique, Response

STATES = {
    "waiting": _("waiting"),
    "disputed": _("disagreements"),
    "sent_back": _("sent back"),
    "done": _("reviewed"),
}
_WORDS = {
    "right": _("right"),
    "wrong": _("wrong"),
    "unknown": _("unknown"),
    "accept": _("accept"),
    "reject": _("reject"),
    "tie": _("tie"),
    "all bad": _("all bad"),
    "bad_problem": _("bad problem"),
    "give_up": _("give up"),
    "unsure": _("unsure"),
}
CAP = 10_000  # a longer list is not counted to its end: it would cost more than the rows
PER_PAGE = 50
ORDER = ("-disagreement", "id")


class Pages(Paginator):
    """Counts up to `CAP` only."""

    def __init__(self, tasks: QuerySet[AnnotationTask], per_page: int) -> None:
        super().__init__(tasks, per_page)
        self.tasks = tasks

    @cached_property
    def count(self) -> int:
        return capped(self.tasks)


def capped(tasks: QuerySet[AnnotationTask]) -> int:
    return tasks.order_by()[:CAP].count()


@dataclass(frozen=True)
class Wanted:
    """The filters of the review list, as they stand in the address."""

    state: str = "waiting"
    kind: str = ""
    person: int | None = None
    iteration: int | None = None  # its number
    names: bool = True  # or letters alone

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Wanted:
        """Whatever is unknown or damaged counts as not asked for."""

        def number(name: str) -> int | None:
            text = query.get(name, "")
            return int(text) if text.isdecimal() and len(text) < 10 else None

        state, kind = query.get("state", ""), query.get("kind", "")
        return cls(
            state=state if state in STATES else "waiting",
            kind=kind if kind in TaskKind.values else "",
            person=number("person"),
            iteration=number("iteration"),
            names=query.get("names") != "hidden",
        )

    def address(self, **changes: Any) -> str:
        values: dict[str, Any] = {
            "state": "" if self.state == "waiting" else self.state,
            "kind": self.kind,
            "person": self.person,
            "iteration": self.iteration,
            "names": "" if self.names else "hidden",
        } | changes
        return urlencode({k: v for k, v in values.items() if v not in ("", None)})


def tasks_to_review(project: Project, wanted: Wanted) -> QuerySet[AnnotationTask]:
    """The tasks that fit, those with the widest disagreement first.

    What waits is found by its own index. An iteration that has gone on takes no word any more, so its
    tasks do not wait.
    """
    tasks = AnnotationTask.objects.filter(project=project, purpose=TaskPurpose.LABEL)
    if wanted.state in ("waiting", "disputed"):
        collecting = list(project.iterations.filter(stage="annotate").values_list("pk", flat=True))
        tasks = tasks.filter(answers__gt=0, reviewed=False)
        tasks = tasks.filter(Q(iteration=None) | Q(iteration__in=collecting))
    if wanted.state == "disputed":
        tasks = tasks.filter(disagreement__gt=0)
    elif wanted.state == "sent_back":
        back = Annotation.objects.filter(task=OuterRef("pk"), state=Annotation.State.SENT_BACK)
        tasks = tasks.filter(Exists(back))
    elif wanted.state == "done":
        tasks = tasks.filter(reviewed=True).filter(Q(answers__gt=0) | Q(adjudication__isnull=False))
    if wanted.kind:
        tasks = tasks.filter(kind=wanted.kind)
    if wanted.iteration is not None:
        tasks = tasks.filter(iteration__number=wanted.iteration)
    if wanted.person is not None:
        tasks = tasks.filter(Exists(Annotation.objects.filter(task=OuterRef("pk"), user_id=wanted.person)))
    return tasks.order_by(*ORDER)


def neighbours(
    tasks: QuerySet[AnnotationTask], task: AnnotationTask
) -> tuple[AnnotationTask | None, AnnotationTask | None]:
    """(the one before, the one after) a task in the list, even when it has just left the list."""
    d, pk = task.disagreement, task.pk
    before = tasks.filter(Q(disagreement__gt=d) | Q(disagreement=d, id__lt=pk))
    after = tasks.filter(Q(disagreement__lt=d) | Q(disagreement=d, id__gt=pk))
    return before.order_by("disagreement", "-id").only("pk").first(), after.only("pk").first()


@dataclass(frozen=True)
class Row:
    task: AnnotationTask
    votes: list[tuple[Annotation, str]]  # with the judgement in a word
    adjudicated: bool

    @property
    def acceptable(self) -> bool:
        """Whether its answers may be accepted from the list: nothing is disputed."""
        waits = any(a.state == Annotation.State.SUBMITTED for a, _ in self.votes)
        return waits and self.task.disagreement == 0


def rows_of(tasks: list[AnnotationTask]) -> list[Row]:
    """The rows of one page, in two queries."""
    pks = [t.pk for t in tasks]
    votes: dict[int, list[tuple[Annotation, str]]] = {pk: [] for pk in pks}
    kinds = {t.pk: t.kind for t in tasks}
    answers = Annotation.objects.filter(task__in=pks).select_related("user").order_by("id")
    for answer in answers.only("task", "outcome", "payload", "state", "user__username", "user__first_name",
                               "user__last_name", "user__is_simulated"):  # fmt: skip
        word = said_of(kinds[answer.task_id], answer.outcome, answer.payload)
        votes[answer.task_id].append((answer, word))
    settled = set(Adjudication.objects.filter(task__in=pks).values_list("task_id", flat=True))
    return [Row(t, votes[t.pk], t.pk in settled) for t in tasks]


def said_of(kind: str, outcome: str, payload: dict[str, Any]) -> str:
    """What an answer says, in words for people."""
    word = judgement(kind, outcome, payload)
    if word.isdecimal():
        critiques = kind == TaskKind.CRITIQUE_REVIEW
        said = gettext("critique {n} is better") if critiques else gettext("response {n} is better")
        return said.format(n=int(word) + 1)
    if word.startswith("edit: "):
        return gettext("edit: {what}").format(what=_in_words(word.removeprefix("edit: ")))
    return _in_words(word)


def _in_words(word: str) -> str:
    if word.startswith("first error "):
        return gettext("first error: step {n}").format(n=word.removeprefix("first error "))
    return str(_WORDS.get(word, word))


# ---- one task ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Vote:
    """One person's answer. ``steps`` is the critique it amounts to, of a step critique or an edit."""

    letter: str
    answer: Annotation
    word: str
    steps: dict[str, Any] | None

    @property
    def value(self) -> str:
        """What the form says when this answer is taken."""
        return f"vote:{self.answer.pk}"


@dataclass(frozen=True)
class Said:
    """What one voice says of one step."""

    by: str
    mark: int | None
    comment: str = ""
    correction: str = ""
    kind: str = ""
    unsure: bool = False

    @property
    def sign(self) -> str:
        return "?" if self.unsure else {-1: "−", 0: "0", 1: "+", None: "·"}[self.mark]

    @property
    def word(self) -> str:
        if self.unsure:
            return "unsure"
        return {-1: "wrong", 0: "neutral", 1: "good", None: "unjudged"}[self.mark]

    @property
    def tone(self) -> str:
        return "warn" if self.unsure else {-1: "bad", 1: "good"}.get(self.mark or 0, "")


@dataclass(frozen=True)
class StepShown:
    index: int
    number: int
    text: str
    disputed: bool
    said: list[Said]


@dataclass(frozen=True)
class Shown:
    """A task with all that is known of it, for the review page."""

    task: AnnotationTask
    responses: list[Response]
    votes: list[Vote]
    adjudication: Adjudication | None
    model_critique: Critique | None
    critiques: list[Critique]  # what a critique review is about
    collecting: bool
    disputed: list[int] = field(default_factory=list)

    @property
    def one_response(self) -> bool:
        return self.task.kind != TaskKind.PREFERENCE

    @cached_property
    def steps(self) -> list[StepShown]:
        """The steps of the one response with every voice beside each; [] for a comparison."""
        if not self.one_response:
            return []
        voices: list[tuple[str, dict[str, Any]]] = [(v.letter, v.steps) for v in self.votes if v.steps]
        voices += [(f"critique {n}", content_of(c)) for n, c in enumerate(self.critiques, 1)]
        if self.model_critique is not None and not self.critiques:
            voices.append(("model", content_of(self.model_critique)))
        if self.adjudication and (word := steps_of(self.task.kind, self.adjudication)):
            voices.append(("final", word))
        return [
            StepShown(
                step.index,
                step.index + 1,
                step.text,
                step.index in self.disputed,
                [_said(by, content, step.index) for by, content in voices],
            )
            for step in self.responses[0].steps
        ]

    @property
    def opens_at(self) -> int:
        return self.disputed[0] if self.disputed else 0


def task_shown(project: Project, pk: int) -> Shown:
    """One task of the project. Constant number of queries.

    Raises:
        AnnotationTask.DoesNotExist: no such task here.
    """
    task = (
        AnnotationTask.objects.select_related("prompt", "iteration", "adjudication__author", "response")
        .defer("response__token_ids", "response__logprobs")
        .get(pk=pk, project=project)
    )
    answers = task.annotations.select_related("user", "guideline_version").prefetch_related("notes__author")
    votes = [
        Vote(letter(i), a, said_of(task.kind, a.outcome, a.payload), steps_of(task.kind, a))
        for i, a in enumerate(answers.order_by("id"))
    ]
    responses = _responses(task)
    critiques = Critique.objects.in_bulk(task.critique_ids)
    model = selectors.model_critique_of(task.response_id) if task.response_id else None
    return Shown(
        task,
        responses,
        votes,
        getattr(task, "adjudication", None),
        model,
        [critiques[c] for c in task.critique_ids if c in critiques],
        collecting=task.iteration is None or task.iteration.stage == "annotate",
        disputed=disputed_steps(v.steps for v in votes if v.steps),
    )


def letter(index: int) -> str:
    """A, B … Z, then A2, B2 …: a voice without a name."""
    turn, place = divmod(index, len(ascii_uppercase))
    return ascii_uppercase[place] + (str(turn + 1) if turn else "")


def _responses(task: AnnotationTask) -> list[Response]:
    if task.response is not None:
        return [task.response]
    rows: dict[UUID, Response] = Response.objects.defer("token_ids", "logprobs").in_bulk(task.response_ids)
    return [rows[pk] for pk in task.response_ids]


def steps_of(kind: str, answer: Annotation | Adjudication) -> dict[str, Any] | None:
    """The critique, step by step, that an answer amounts to; None where it has none of its own."""
    if answer.outcome != Annotation.Outcome.ANSWERED:
        return None
    found: dict[str, Any] | None = None
    if kind == TaskKind.STEP_CRITIQUE:
        found = answer.payload
    elif kind == TaskKind.CRITIQUE_REVIEW:
        found = answer.payload["edited"]
    return found


def content_of(critique: Critique) -> dict[str, Any]:
    """A critique step by step, in the form of an answer."""
    fields = ("marks", "comments", "corrections", "verdict")
    return {name: getattr(critique, name) for name in fields}


def _said(by: str, content: dict[str, Any], index: int) -> Said:
    key, marks = str(index), content["marks"]
    return Said(
        by,
        marks[index] if index < len(marks) else None,
        content["comments"].get(key, ""),
        content["corrections"].get(key, ""),
        content.get("kinds", {}).get(key, ""),
        index in content.get("unsure", []),
    )


def people_with_answers(project: Project) -> QuerySet[User]:
    """Those whose answers the list can be narrowed to: the project's members."""
    return User.objects.filter(memberships__project=project).order_by("username")[:500]
