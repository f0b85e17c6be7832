"""The list of examples: filters as in the address bar, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, QuerySet

from loop.records import RowKind
from webapp.annotate.models import AnnotationTask, TaskState
from webapp.annotate.searching import TooSlowError, patience, whole_of
from webapp.curate.composing import ages_of
from webapp.curate.models import Example, Writer
from webapp.projects.models import Project, Prompt, Role
from webapp.projects.permissions import at_least

PER_PAGE = 50
CAP = 1000  # examples are counted up to here
FEW = 2000  # prompts with a text that are looked up by their ids
PATIENCE = 4000  # milliseconds
COUNT_PATIENCE = 1000
SOURCES = ("people", "verifier", "scorer", "self_verdict")
STATES = ("accepted", "rejected", "all")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for. What cannot be understood in an address counts as not said."""

    q: str = ""  # part of the prompt
    kind: str = ""
    source: str = ""  # who accepted it
    state: str = ""  # "": accepted
    age: str = ""  # champions ago, "people" or "unknown"
    iteration: int | None = None
    before: int | None = None  # the last example on the page before
    until: int | None = None  # the newest one meant, for what is done with all of them

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Wanted:
        def one_of(key: str, known: tuple[str, ...]) -> str:
            return given.get(key, "") if given.get(key, "") in known else ""

        age = given.get("age", "").strip()
        number = whole_of(age, 0, 10**6)
        return cls(
            q=given.get("q", "").replace("\0", "").strip()[:200],
            kind=one_of("kind", tuple(k.value for k in RowKind)),
            source=one_of("source", SOURCES),
            state=one_of("state", STATES[1:]),
            age=age if age in ("people", "unknown") else "" if number is None else str(number),
            iteration=whole_of(given.get("iteration", ""), 1, 10**6),
            before=whole_of(given.get("before", ""), 1, 2**62),
            until=whole_of(given.get("until", ""), 1, 2**62),
        )

    def asked(self) -> dict[str, str]:
        """What was said, without the place in the list."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("before", "until")}
        return {key: str(value) for key, value in said.items() if value}

    def address(self, **changes: Any) -> str:
        return urlencode({key: value for key, value in (self.asked() | changes).items() if value})


@dataclass(frozen=True, slots=True)
class ExamplePage:
    """``count`` is None where counting would take too long; ``slow``: so did the look-up itself."""

    rows: list[Example]
    older: int | None
    count: int | None
    slow: bool = False


def examples_of(project: Project, wanted: Wanted) -> QuerySet[Example]:
    """The examples that fit. Control arms' are left out unless their iteration is asked for.

    Those of prompts that people are being asked about are for leads alone: they would tell annotators what
    is right.
    """
    examples = Example.objects.filter(project=project)
    if wanted.iteration:
        examples = examples.filter(iteration__in=_ids(project.iterations.filter(number=wanted.iteration)))
    elif controls := _ids(project.iterations.exclude(arm="main")):
        examples = examples.exclude(iteration__in=controls)
    if wanted.kind:
        examples = examples.filter(kind=wanted.kind)
    if wanted.source:
        examples = examples.filter(accepted_by=wanted.source)
    if wanted.state != "all":
        examples = examples.filter(rejected__isnull=wanted.state != "rejected")
    if wanted.age:
        examples = examples.filter(_aged(project, wanted.age))
    if wanted.q:
        examples = _about(project, examples, wanted.q)
    if wanted.until:
        examples = examples.filter(pk__lte=wanted.until)
    return visible(project, examples)


def visible(project: Project, examples: QuerySet[Example]) -> QuerySet[Example]:
    if at_least(getattr(project, "my_role", None), Role.LEAD):
        return examples
    asked = AnnotationTask.objects.filter(prompt=OuterRef("prompt_id"), state=TaskState.OPEN)
    return examples.exclude(Exists(asked))


def _ids(rows: QuerySet[Any]) -> list[int]:
    return list(rows.order_by().values_list("pk", flat=True))


def _aged(project: Project, age: str) -> Q:
    if age == "people":
        return Q(writer=Writer.PERSON)
    ages = ages_of(project)
    if age == "unknown":
        return Q(writer=Writer.UNKNOWN)
    return Q(model_version__in=[pk for pk, found in ages.items() if found == int(age)])


def _about(project: Project, examples: QuerySet[Example], text: str) -> QuerySet[Example]:
    """Of prompts that hold the text. Rare texts are looked up first: else the whole list is gone through."""
    prompts = Prompt.objects.filter(project=project, split="train", text__icontains=text)
    few = list(prompts.order_by().values_list("pk", flat=True)[: FEW + 1])
    if len(few) <= FEW:
        return examples.filter(prompt__in=few)
    return examples.filter(Exists(prompts.filter(pk=OuterRef("prompt_id"))))


def examples_page(project: Project, wanted: Wanted) -> ExamplePage:
    """A page of examples with their prompts, iterations and rejections."""
    try:
        with patience(PATIENCE):
            found = examples_of(project, wanted)
            here = found.filter(pk__lt=wanted.before) if wanted.before else found
            ids = list(here.order_by("-id").values_list("pk", flat=True)[: PER_PAGE + 1])
    except TooSlowError:
        return ExamplePage([], None, None, slow=True)
    shown = Example.objects.filter(pk__in=ids[:PER_PAGE]).select_related(
        "prompt", "iteration", "rejected__rejection", "model_version"
    )
    rows = list(shown.order_by("-id"))
    if not wanted.before and len(ids) <= PER_PAGE:
        return ExamplePage(rows, None, len(ids))
    count: int | None = None
    try:
        with patience(COUNT_PATIENCE):
            count = len(found.order_by().values_list("pk", flat=True)[: CAP + 1])
    except TooSlowError:
        pass
    return ExamplePage(rows, ids[PER_PAGE - 1] if len(ids) > PER_PAGE else None, count)
