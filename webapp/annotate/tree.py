"""A task as a tree: the prompt, what was answered, and where other ways branch off from a step."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from loop.curate.material import normalised
from webapp.accounts.models import User
from webapp.annotate.alternatives import checker_seen
from webapp.annotate.models import Annotation, AnnotationTask, TaskKind
from webapp.annotate.selectors import response_ids
from webapp.projects.models import Project
from webapp.traces.models import Response

DEEPEST = 4  # branches of branches; deeper ones do not arise


@dataclass(slots=True)
class Said:
    """One person's word: a mark (-1, 0, 1, None: unjudged) or that a branch was taken."""

    by: str
    mark: int | None
    chosen: bool = False


@dataclass(slots=True)
class Step:
    number: int
    text: str
    said: list[Said] = field(default_factory=list)
    first_error: bool = False
    branches: list[Branch] = field(default_factory=list)


@dataclass(slots=True)
class Branch:
    """A response, from the step on in which it leaves its parent (0: from the start)."""

    response: Response
    at: int
    origin: str
    verdict: str  # empty where it may not be seen
    asked_by: str
    said: list[Said]
    steps: list[Step]

    @property
    def chosen(self) -> bool:
        return any(s.chosen for s in self.said)


@dataclass(frozen=True, slots=True)
class Tree:
    task: AnnotationTask
    responses: list[Branch]
    count: int  # of branches


def tree_of(user: User, project: Project, pk: int, *, lead: bool) -> Tree:
    """The tree of a task: for leads, and for whoever has answered it. A constant number of queries.

    Who is no lead sees their own marks only, other people's branches without a name, and the checker's
    verdicts only where they were shown.

    Raises:
        AnnotationTask.DoesNotExist: no such task, or not answered by this person.
    """
    tasks = AnnotationTask.objects.filter(project=project).select_related("prompt", "iteration")
    answers = Annotation.objects.filter(task=pk, outcome=Annotation.Outcome.ANSWERED)
    own = Annotation.objects.filter(task=pk, user=user).select_related("assignment").first()
    if not lead and own is None:
        raise AnnotationTask.DoesNotExist("not answered by this person")
    task = tasks.get(pk=pk)
    votes = list(answers.select_related("user").order_by("id")) if lead else [own] if own else []
    checked = lead or (own is not None and own.assignment is not None and checker_seen(own.assignment))
    children, roots = _family(task)
    drawn = _Drawing(user, lead, checked, children, votes)
    responses = [drawn.branch(r, 0, marks=task.kind == TaskKind.STEP_CRITIQUE) for r in roots]
    return Tree(task, responses, sum(len(found) for found in children.values()))


def _family(task: AnnotationTask) -> tuple[dict[UUID, list[Response]], list[Response]]:
    rows = Response.objects.select_related("model_version", "regeneration__author", "author")
    rows = rows.defer("token_ids", "logprobs")
    by_id = {r.pk: r for r in rows.filter(pk__in=response_ids(task))}
    roots = [by_id[pk] for pk in response_ids(task) if pk in by_id]
    children: dict[UUID, list[Response]] = defaultdict(list)
    parents = [r.pk for r in roots]
    for _depth in range(DEEPEST):
        found = list(rows.filter(parent__in=parents).order_by("created_at", "id")) if parents else []
        for child in found:
            if child.parent_id is not None:
                children[child.parent_id].append(child)
        parents = [child.pk for child in found]
    return children, roots


class _Drawing:
    def __init__(
        self,
        user: User,
        lead: bool,
        checked: bool,
        children: dict[UUID, list[Response]],
        votes: list[Annotation],
    ) -> None:
        self.user, self.lead, self.checked, self.children = user, lead, checked, children
        self.votes = votes
        self.words: dict[str, list[Said]] = defaultdict(list)  # response id -> what people said of the branch
        for vote in votes:
            for branch in vote.payload.get("branches") or []:
                self.words[branch["response"]].append(
                    Said(self._name(vote.user_id, vote), branch["mark"], branch["chosen"])
                )

    def branch(self, response: Response, at: int, *, marks: bool = False) -> Branch:
        steps = [Step(s.index + 1, s.text) for s in response.steps]
        if marks:
            for vote in self.votes:
                self._mark(steps, vote)
        for child in self.children.get(response.pk, []):
            start = min(_leaves_at(response, child), max(len(steps) - 1, 0))
            if steps:
                steps[start].branches.append(self.branch(child, start))
        asked = response.regeneration
        return Branch(
            response=response,
            at=at,
            origin=response.origin,
            verdict=response.verdict if self.checked else "",
            asked_by=self._asker(asked.author_id, asked.author) if asked else "",
            said=self.words[str(response.pk)],
            steps=steps[at:],
        )

    def _mark(self, steps: list[Step], vote: Annotation) -> None:
        payload: dict[str, Any] = vote.payload
        for step, mark in zip(steps, payload.get("marks") or [], strict=False):
            step.said.append(Said(self._name(vote.user_id, vote), mark))
            step.first_error |= payload.get("first_error") == step.number - 1

    def _name(self, user_id: int, vote: Annotation) -> str:
        return _("you") if user_id == self.user.pk else str(vote.user)

    def _asker(self, author_id: int, author: User) -> str:
        if author_id == self.user.pk:
            return _("you")
        return str(author) if self.lead else _("another annotator")


def _leaves_at(parent: Response, child: Response) -> int:
    """The step from which a branch is its own: the one asked for, else the first that differs."""
    if child.regeneration is not None:
        return child.regeneration.step
    for i, (mine, theirs) in enumerate(zip(parent.steps, child.steps, strict=False)):
        if normalised(mine.text) != normalised(theirs.text):
            return i
    return min(len(parent.steps), len(child.steps))
