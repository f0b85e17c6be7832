"""One click, five products, of stored answers: what a task page shows and what a download holds."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils.translation import ngettext_lazy

from loop import records
from loop.curate.products import BACKTRACK, Count, Made, Product, line, makes, products, tally
from loop.dialects import Dialect, dialect_named
from webapp.annotate.models import Annotation, AnnotationTask, Assignment, TaskKind, TaskPurpose
from webapp.projects.models import Project
from webapp.traces.models import Critique, Response

AT_ONCE = 200

_IN_WORDS = {
    Product.TRAJECTORY: ngettext_lazy("%(n)s correction", "%(n)s corrections", "n"),
    Product.STEP_PAIR: ngettext_lazy("%(n)s step pair", "%(n)s step pairs", "n"),
    Product.CRITIC_ROW: ngettext_lazy("%(n)s critic row", "%(n)s critic rows", "n"),
    Product.STEP_LABELS: ngettext_lazy("%(n)s step label", "%(n)s step labels", "n"),
    Product.CALIBRATION: ngettext_lazy("%(n)s calibration point", "%(n)s calibration points", "n"),
}
_BACKTRACK = ngettext_lazy("%(n)s backtrack point", "%(n)s backtrack points", "n")


def _translated(one: Count) -> Count:
    """The same, said in the reader's language."""
    said = _BACKTRACK if one.words.endswith(BACKTRACK) else _IN_WORDS[one.product]
    return replace(one, words=str(said % {"n": one.count}))


@dataclass(frozen=True)
class MadeOf:
    """What one answer, or one final word, makes. ``problem`` where its marks do not fit the response."""

    critique: Critique
    made: list[Made]
    problem: str = ""

    @property
    def words(self) -> str:
        return line(map(_translated, tally(self.made)))

    @property
    def shown(self) -> list[dict[str, Any]]:
        """Each product as a page shows it: its name, and its texts by what they are."""
        return [{"product": one.product.value, "parts": _parts(one)} for one in self.made]


def _parts(one: Made) -> list[tuple[str, str]]:
    data = one.data
    if one.product is Product.STEP_LABELS:
        signs = {1: "+", 0: "0", -1: "−", None: "·"}
        parts = [(signs[mark], text) for mark, text in zip(data["labels"], data["steps"], strict=True)]
        return parts + [("masked", data["text"][a:b]) for a, b in data.get("masked", [])]
    if one.product is Product.CALIBRATION:
        return [(who, _verdict_words(data[who])) for who in ("model", "person")]
    if data["kind"] == "backtrack":
        return [("go on after", data["prefix"] or "the prompt")]
    names = {"prefix": "after", "chosen": "better" if data["rejected"] else "learnt", "rejected": "worse"}
    return [(name, data[key]) for key, name in names.items() if data[key]]


def _verdict_words(said: Mapping[str, Any]) -> str:
    first = said["first_error"]
    return f"{said['verdict']}" + ("" if first is None else f", first error: step {first + 1}")


def makes_of(kind: str, draft: Mapping[str, Any], *, model_critique: bool, split: str) -> list[Count]:
    """How much an unfinished answer would make; nothing of other kinds of task or of a damaged draft.

    Costs no query, so that every saved draft can be told.
    """
    marks = draft.get("marks")
    if kind != TaskKind.STEP_CRITIQUE or not isinstance(marks, list):
        return []
    try:
        first = draft.get("first_error")
        return makes(
            [None if mark is None else int(mark) for mark in marks],
            None if first is None else int(first),
            {int(step): str(text) for step, text in (draft.get("corrections") or {}).items()},
            [(int(b["step"]), b.get("mark"), bool(b.get("chosen"))) for b in draft.get("branches") or []],
            model_critique,
            verdict=str(draft.get("verdict") or ""),
            trainable=split == records.Split.TRAIN,
        )
    except (TypeError, ValueError, KeyError, AttributeError):
        return []  # a draft is whatever a page sent


def claim_makes(claim: Assignment, draft: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`makes_of` for a claim as `claims.assignment_locked` gives it. A critique that was withheld on purpose
    measures as well as one that was shown."""
    present = bool(claim.shown.get("model_critique") or claim.shown.get("withheld"))
    counts = makes_of(claim.kind, draft, model_critique=present, split=claim.split)
    if counts and draft.get("branches"):  # alternatives may say the same words: only their texts tell
        with suppress(TypeError, ValueError, KeyError, ValidationError):  # a draft is whatever a page sent
            counts = _exactly(claim, draft)
    return [asdict(_translated(one)) for one in counts]


def _exactly(claim: Assignment, draft: Mapping[str, Any]) -> list[Count]:
    """What the draft would make, by making it. Three queries."""
    task = AnnotationTask.objects.select_related("project", "prompt", "response__prompt").get(
        pk=claim.task_id
    )
    first = draft.get("first_error")
    critique = Critique(
        response=task.response,
        author_kind=records.Author.PERSON.value,
        marks=draft["marks"],
        first_error=first,
        verdict=draft.get("verdict") or ("unknown" if first is None else "wrong"),
        corrections=draft.get("corrections") or {},
        branches=draft["branches"],
    )
    (found,) = products_of([critique], dialect_named(task.project.dialect))
    return tally(found.made)


def products_of(critiques: Iterable[Critique], dialect: Dialect) -> list[MadeOf]:
    """The products of people's critiques. Three queries, however many.

    Each comes with ``response__prompt`` and, for its marked passages, its answer or adjudication.
    """
    rows = list(critiques)
    models = _model_critiques(row.response_id for row in rows)
    wanted = {b["response"] for row in rows for b in row.branches}
    written = Response.objects.defer("token_ids", "logprobs").in_bulk(wanted)
    by_id = {str(pk): response.record(tokens=False) for pk, response in written.items()}
    return [_made_of(row, models.get(row.response_id), by_id, dialect) for row in rows]


def _made_of(
    row: Critique, model: Critique | None, written: Mapping[str, records.Response], dialect: Dialect
) -> MadeOf:
    critique = row.record()
    source = row.annotation or row.adjudication
    spans = source.payload.get("spans", {}) if source else {}
    try:
        made = products(
            row.response.prompt.record(),
            row.response.record(tokens=False),
            critique,
            dialect=dialect,
            model_critique=model.record() if model else None,
            alternatives=[written[b.response_id] for b in critique.branches if b.response_id in written],
            spans={int(step): passages for step, passages in spans.items()},
        )
    except ValueError as error:
        return MadeOf(row, [], str(error))
    return MadeOf(row, made)


def _model_critiques(response_ids: Iterable[Any]) -> dict[Any, Critique]:
    """The model's latest readable critique of each response."""
    found = Critique.objects.filter(
        response__in=set(response_ids), author_kind=records.Author.MODEL.value, parsed=True
    )
    return {row.response_id: row for row in found.order_by("created_at", "-id")}


def critiques_of(task: AnnotationTask) -> list[Critique]:
    """What people said of a task step by step, the final word last."""
    mine = Critique.objects.filter(Q(annotation__task=task) | Q(adjudication__task=task))
    return list(_with_sources(mine).order_by("final", "created_at", "id"))


def _with_sources(rows: Any) -> Any:
    return rows.select_related("response__prompt", "annotation", "adjudication").defer(
        "response__token_ids", "response__logprobs"
    )


def product_lines(project: Project, product: Product | None = None) -> Iterator[str]:
    """The project's products as JSON lines, in parts: memory does not grow with the project.

    An answer counts while it stands and its task has no final word; then that word counts alone.
    """
    dialect = dialect_named(project.dialect)
    after = 0
    while True:
        tasks = AnnotationTask.objects.filter(project=project, pk__gt=after, purpose=TaskPurpose.LABEL)
        tasks = tasks.exclude(kind=TaskKind.PREFERENCE).filter(
            Q(answers__gt=0) | Q(adjudication__isnull=False)
        )
        pks = list(tasks.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
        if not pks:
            return
        after = pks[-1]
        rows = Critique.objects.filter(
            Q(annotation__task__in=pks, annotation__task__adjudication=None) | Q(adjudication__task__in=pks)
        )
        task = Coalesce("annotation__task_id", "adjudication__task_id")
        found = products_of(_with_sources(rows).order_by(task, "created_at", "id"), dialect)
        yield from (line for one in found for line in _lines(one, product))


def _lines(one: MadeOf, product: Product | None) -> Iterator[str]:
    row = one.critique
    source = row.annotation or row.adjudication
    for made in one.made:
        if product is not None and made.product is not product:
            continue
        line = {
            "product": made.product.value,
            "data": made.data,
            "task": source.task_id if source else None,
            "annotation": row.annotation_id,
            "adjudication": row.adjudication_id,
            "final": row.final,
            "critiques": made.sources,
            "response": made.response_id,
            "prompt": row.response.prompt_id,
        }
        yield json.dumps(line, ensure_ascii=False) + "\n"


def by_source(found: Iterable[MadeOf]) -> dict[tuple[str, int], MadeOf]:
    """("answer" | "final", key of the annotation or adjudication) -> what it makes."""
    keyed: dict[tuple[str, int], MadeOf] = {}
    for one in found:
        row = one.critique
        if row.annotation_id:
            keyed["answer", row.annotation_id] = one
        elif row.adjudication_id:
            keyed["final", row.adjudication_id] = one
    return keyed


def examples_by_answer(answers: Iterable[Annotation]) -> dict[int, list[Any]]:
    """The training rows that rest on each answer, newest first. One query."""
    pks = [a.pk for a in answers]
    through = Annotation.examples.through
    rows = through.objects.filter(annotation__in=pks).select_related("example__iteration")
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows.order_by("-example_id"):
        found[row.annotation_id].append(row.example)
    return found
