"""The examples of a dataset version that rest on people's answers, and one example with all around it.

A dataset version's list may have a hundred thousand ids: it stays in the database, which looks a few rows up
in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import BooleanField, Exists, OuterRef, Prefetch, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _

from webapp.accounts.models import User
from webapp.annotate.models import Annotation
from webapp.annotate.reviewing import said_of
from webapp.annotate.searching import TooSlowError, patience
from webapp.curate.listing import visible
from webapp.curate.models import DatasetVersion, Example
from webapp.iterations.models import Iteration
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least

PER_PAGE = 20
PATIENCE = 3000  # milliseconds
# A scalar look-up, read once however many rows are compared with it.
_LISTED = "curate_example.id = ANY((SELECT example_ids FROM curate_datasetversion WHERE id = %s)::bigint[])"


@dataclass(frozen=True, slots=True)
class Behind:
    """An answer that an example rests on, as far as the reader may know."""

    pk: int
    author: str
    simulated: bool
    own: bool
    word: str


@dataclass(frozen=True, slots=True)
class Resting:
    example: Example
    answers: list[Behind]


@dataclass(frozen=True, slots=True)
class RestingPage:
    """``older``: the last one here, where there are more. ``slow``: the look-up took too long."""

    rows: list[Resting]
    older: int | None = None
    slow: bool = False


def author_shown(project: Project, reader: User, author: User) -> str:
    """Who answered: leads are told, people their own; the others that it was somebody."""
    if author.pk == reader.pk:
        return _("you")
    if at_least(project.my_role, Role.LEAD):
        return str(author)
    return _("a simulated annotator") if author.is_simulated else _("an annotator")


def resting(
    project: Project, dataset: DatasetVersion, made_by: int | None, *, before: int | None, reader: User
) -> RestingPage:
    """A page of the version's examples that rest on answers, newest first, of those ``made_by`` an iteration.

    Below lead without those of prompts that people are being asked about.
    """
    examples = Example.objects.filter(project=project)
    if made_by is not None:
        examples = examples.filter(iteration=made_by)
    if before:
        examples = examples.filter(pk__lt=before)
    try:
        with patience(PATIENCE):
            rests = Example.annotations.through.objects.filter(example=OuterRef("pk"))
            listed = RawSQL(_LISTED, [dataset.pk], output_field=BooleanField())  # noqa: S611  (text of this module)
            found = visible(project, examples.filter(Exists(rests))).alias(listed=listed).filter(listed=True)
            ids = list(found.order_by("-id").values_list("pk", flat=True)[: PER_PAGE + 1])
    except TooSlowError:
        return RestingPage([], slow=True)
    rows = [
        Resting(example, answers_behind(project, example, reader))
        for example in _with_answers(Example.objects.filter(pk__in=ids[:PER_PAGE])).order_by("-id")
    ]
    return RestingPage(rows, ids[PER_PAGE - 1] if len(ids) > PER_PAGE else None)


def _with_answers(examples: QuerySet[Example]) -> QuerySet[Example]:
    answers = Annotation.objects.select_related("user", "task").order_by("id")
    lean = answers.only("payload", "outcome", "task__kind", "user__username", "user__first_name",
                        "user__last_name", "user__is_simulated")  # fmt: skip
    wide = ("row", "iteration__recipe", "iteration__counts", "iteration__decision")
    return (
        examples.select_related("prompt", "iteration")
        .defer(*wide)
        .prefetch_related(Prefetch("annotations", queryset=lean))
    )


def answers_behind(project: Project, example: Example, reader: User) -> list[Behind]:
    """The answers of an example whose ``annotations`` were fetched with their users and tasks."""
    return [
        Behind(
            a.pk, author_shown(project, reader, a.user), a.user.is_simulated, a.user_id == reader.pk,
            said_of(a.task.kind, a.outcome, a.payload),
        )
        for a in example.annotations.all()
    ]  # fmt: skip


def sources_of(project: Project, dataset: DatasetVersion) -> list[Iteration]:
    """Iterations before the one the version was frozen for, newest first: replayed examples are theirs."""
    earlier = project.iterations.filter(arm=Iteration.Arm.MAIN, created_at__lt=dataset.created_at)
    others = earlier.exclude(pk=dataset.iteration_id or 0).order_by("-number")
    return list(others.only("number", "recipe_name")[:50])
