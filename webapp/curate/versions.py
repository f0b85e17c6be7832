"""Reads of dataset versions: what is in one, what differs between two, what was made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.http import Http404

from webapp.curate.listing import visible
from webapp.curate.models import DatasetVersion, Example
from webapp.projects.models import Project

PER_PAGE = 20
SOURCE_ORDER = ("people", "verifier", "scorer", "self_verdict", "replayed")


def versions_of(project: Project) -> QuerySet[DatasetVersion]:
    """Newest first, without the lists themselves."""
    versions = DatasetVersion.objects.filter(project=project).select_related("iteration", "created_by")
    return versions.defer(*DatasetVersion.LISTS).order_by("-number")


def version_for(project: Project, number: int, *, whole: bool = False) -> DatasetVersion:
    """A version of a project the user may see (`project_for` was the check); ``whole``: with its list.

    Raises:
        Http404: no such version.
    """
    versions = DatasetVersion.objects.filter(project=project) if whole else versions_of(project)
    found = versions.select_related("iteration", "created_by").filter(number=number).first()
    if found is None:
        raise Http404(f"{project} has no dataset version {number}.")
    found.project = project
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a bar, in per cent of the longest bar; ``hue`` numbers its colour."""

    source: str
    count: int
    start: float
    width: float
    hue: int


@dataclass(frozen=True, slots=True)
class Stack:
    label: str
    count: int
    parts: list[Part]


def stacks(table: Mapping[str, Mapping[str, int]]) -> list[Stack]:
    """One bar per kind, longest first, cut by source; the numbers are its table twin."""
    longest = max((sum(by.values()) for by in table.values()), default=0) or 1
    found = []
    for kind, by in sorted(table.items(), key=lambda item: (-sum(item[1].values()), item[0])):
        parts, at = [], 0
        known = [s for s in SOURCE_ORDER if s in by] + sorted(s for s in by if s not in SOURCE_ORDER)
        for source in known:
            hue = SOURCE_ORDER.index(source) + 1 if source in SOURCE_ORDER else 0
            width = 100 * by[source] / longest
            parts.append(Part(source, by[source], round(100 * at / longest, 3), round(width, 3), hue))
            at += by[source]
        found.append(Stack(kind, at, parts))
    return found


def table_of(manifest: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Kind -> source -> rows; versions from before sources were counted have kinds alone."""
    return manifest.get("table") or {kind: {"": n} for kind, n in manifest.get("kinds", {}).items()}


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    count: int
    width: float


def bars(counts: Mapping[str, int]) -> list[Line]:
    """Counts as bars, in the order given."""
    largest = max(counts.values(), default=0) or 1
    return [Line(label, n, round(100 * n / largest, 2)) for label, n in counts.items()]


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of a version: its place from 1, and what its weight is multiplied by."""

    place: int
    example: Example
    factor: float


def rows_page(dataset: DatasetVersion, page: int) -> list[Listed]:
    """Rows of a version in training order; those a user may not see (`listing.visible`) are missing."""
    start = (page - 1) * PER_PAGE
    with connection.cursor() as cursor:  # a slice of the lists, not the lists
        cursor.execute(
            "SELECT example_ids[%(a)s:%(b)s], row_weights[%(a)s:%(b)s] FROM curate_datasetversion"
            " WHERE id = %(pk)s",
            {"a": start + 1, "b": start + PER_PAGE, "pk": dataset.pk},
        )
        ids, factors = cursor.fetchone()
    shown = visible(dataset.project, Example.objects.filter(pk__in=ids)).select_related("prompt", "iteration")
    examples = {example.pk: example for example in shown}
    return [
        Listed(start + i + 1, examples[pk], factors[i] if factors else 1.0)
        for i, pk in enumerate(ids)
        if pk in examples
    ]


# ----------------------------------------------------------------------------------------------- two versions
_BOTH = """
WITH a AS (
    SELECT l.id, l.at, e.row_sha, e.kind, e.accepted_by AS source, e.prompt_id,
           e.weight * coalesce(l.factor, 1) AS weight
    FROM curate_datasetversion v, unnest(v.example_ids, v.row_weights) WITH ORDINALITY AS l(id, factor, at)
    JOIN curate_example e ON e.id = l.id WHERE v.id = %(a)s
), b AS (
    SELECT l.id, l.at, e.row_sha, e.kind, e.accepted_by AS source, e.prompt_id,
           e.weight * coalesce(l.factor, 1) AS weight
    FROM curate_datasetversion v, unnest(v.example_ids, v.row_weights) WITH ORDINALITY AS l(id, factor, at)
    JOIN curate_example e ON e.id = l.id WHERE v.id = %(b)s
), both_ AS (
    SELECT coalesce(b.id, a.id) AS id, coalesce(b.at, a.at) AS at, coalesce(b.kind, a.kind) AS kind,
        coalesce(b.source, a.source) AS source, coalesce(b.prompt_id, a.prompt_id) AS prompt_id,
        a.weight AS before, b.weight AS after,
        CASE WHEN a.id IS NULL THEN 'added' WHEN b.id IS NULL THEN 'removed'
             WHEN a.weight <> b.weight THEN 'reweighted' ELSE 'kept' END AS state
    FROM a FULL JOIN b USING (row_sha)
)
"""
_COUNTS = _BOTH + "SELECT state, kind, source, count(*) FROM both_ GROUP BY 1, 2, 3 ORDER BY 2, 3"  # noqa: S608 (constants)
_PROMPTS = _BOTH + "SELECT count(DISTINCT prompt_id) FROM both_ WHERE state <> 'kept'"  # noqa: S608
_ROWS = _BOTH + (  # noqa: S608
    "SELECT id, before, after FROM both_ WHERE state = %(state)s ORDER BY at, id LIMIT %(n)s OFFSET %(skip)s"
)
CHANGES = ("added", "removed", "reweighted", "kept")


@dataclass(frozen=True, slots=True)
class Change:
    kind: str
    source: str
    counts: dict[str, int]  # by state; a row is the same where its content is


@dataclass(frozen=True, slots=True)
class Diff:
    totals: dict[str, int]
    lines: list[Change]
    prompts: int  # with a row added, removed or reweighted


def versions_diff(before: DatasetVersion, after: DatasetVersion) -> Diff:
    """Counts by kind and source; two queries, whatever the size."""
    values = {"a": before.pk, "b": after.pk}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, values)
        found: dict[tuple[str, str], dict[str, int]] = {}
        for state, kind, source, n in cursor.fetchall():
            found.setdefault((kind, source), dict.fromkeys(CHANGES, 0))[state] = n
        cursor.execute(_PROMPTS, values)
        prompts = cursor.fetchone()[0]
    lines = [Change(kind, source, counts) for (kind, source), counts in found.items()]
    totals = {state: sum(line.counts[state] for line in lines) for state in CHANGES}
    return Diff(totals, lines, prompts)


@dataclass(frozen=True, slots=True)
class Changed:
    example: Example
    before: float | None  # the row's weight
    after: float | None


def diff_page(before: DatasetVersion, after: DatasetVersion, state: str, page: int) -> list[Changed]:
    """A page of the rows in one state."""
    values: dict[str, Any] = {
        "a": before.pk, "b": after.pk, "state": state, "n": PER_PAGE, "skip": (page - 1) * PER_PAGE,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, values)
        rows = cursor.fetchall()
    shown = visible(before.project, Example.objects.filter(pk__in=[pk for pk, _, _ in rows]))
    examples = {example.pk: example for example in shown.select_related("prompt", "iteration")}
    return [Changed(examples[pk], old, new) for pk, old, new in rows if pk in examples]
