"""What the annotation page shows for one claim, read in one statement."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.utils import timezone

from webapp.annotate.models import Assignment, TaskKind
from webapp.annotate.statements import row_of
from webapp.projects.models import GuidelineVersion
from webapp.projects.rich import marked_up, rich

_CRITIQUE = """json_build_object('marks', c.marks, 'first_error', c.first_error, 'verdict', c.verdict,
    'comments', c.comments, 'corrections', c.corrections, 'text', c.text)"""

# A gold item belongs to no iteration; it names the one that asks now, as the items around it do.
_ITEM = f"""
SELECT json_build_object(
    'kind', t.kind, 'response_id', t.response_id, 'response_ids', t.response_ids,
    'critique_ids', t.critique_ids,
    'iteration', coalesce(i.number, CASE WHEN t.purpose = 'gold' THEN (
        SELECT max(number) FROM iterations_iteration WHERE project_id = t.project_id AND stage = 'annotate')
    END),
    'prompt', json_build_object('text', p.text, 'messages', p.messages),
    'reference', p.reference,
    'responses', (
        SELECT json_object_agg(r.id, json_build_object(
            'text', r.text, 'finish', r.finish, 'spans', r.step_spans))
        FROM traces_response r WHERE r.id = ANY(array_append(t.response_ids, t.response_id))),
    'critiques', (
        SELECT json_object_agg(c.id, {_CRITIQUE}) FROM traces_critique c
        WHERE c.id = ANY(array_append(t.critique_ids, %(critique)s::uuid))),
    'draft', (
        SELECT json_build_object('payload', d.payload, 'revision', d.revision)
        FROM annotate_draft d WHERE d.assignment_id = %(assignment)s::bigint),
    'read', EXISTS (
        SELECT 1 FROM projects_guidelineread g
        WHERE g.user_id = %(user)s AND g.version_id = %(guidelines)s::bigint),
    'queue', (
        SELECT json_build_object('error_kinds', q.error_kinds, 'criteria', q.criteria, 'quota', q.daily_quota)
        FROM annotate_queue q WHERE q.project_id = t.project_id AND q.kind = t.kind),
    'day', (
        SELECT json_build_object('answers', d.answers, 'seconds', d.seconds) FROM annotate_daycount d
        WHERE d.user_id = %(user)s AND d.project_id = t.project_id AND d.day = %(day)s))
FROM annotate_annotationtask t
JOIN projects_prompt p ON p.id = t.prompt_id
LEFT JOIN iterations_iteration i ON i.id = t.iteration_id
WHERE t.id = %(task)s
"""  # noqa: S608  (text of this module only)


def item_of(assignment: Assignment) -> dict[str, Any]:
    """Everything the annotation page shows for one claim, ready for JSON.

    Nothing in it tells a gold item or a repeat from any other. Model and sampling settings are left out on
    purpose: they would bias a comparison.
    """
    shown = assignment.shown
    values = {
        "task": assignment.task_id,
        "assignment": assignment.pk,
        "user": assignment.user_id,
        "critique": shown.get("model_critique"),
        "guidelines": assignment.guideline_version_id,
        "day": timezone.now().date(),
    }
    found = row_of(_ITEM, values)
    if found is None:
        raise Assignment.DoesNotExist
    row: dict[str, Any] = found[0]
    queue, critiques = row["queue"] or {}, row["critiques"] or {}
    return {
        "token": str(assignment.token),
        "task": assignment.task_id,
        "kind": row["kind"],
        "iteration": row["iteration"],
        "lease_seconds": lease_seconds(assignment),
        "prompt": {**row["prompt"], "html": marked_up(row["prompt"]["text"])},
        "reference": row["reference"] if shown.get("reference") else None,
        "responses": _responses_in_order(row, assignment.order),
        "model_critique": critiques.get(shown.get("model_critique")),
        "critiques": [
            {"critique": i, **critiques[row["critique_ids"][i]]}
            for i in (assignment.order if row["critique_ids"] else [])
        ],
        "guidelines": _guidelines_shown(assignment.guideline_version_id, read=row["read"]),
        "draft": row["draft"],
        "queue": {"error_kinds": queue.get("error_kinds", []), "criteria": queue.get("criteria", [])},
        "today": today_shown(row["day"], queue.get("quota")),
        "regenerations": _alternatives_shown(assignment),
        "returned": None,
    }


def today_shown(day: dict[str, Any] | None, quota: int | None) -> dict[str, Any]:
    """A person's day in a project: answers, seconds at them, and the quota there is (or None)."""
    day = day or {}
    return {"answers": day.get("answers", 0), "seconds": round(day.get("seconds", 0.0)), "quota": quota}


def lease_seconds(assignment: Assignment) -> int:
    """Seconds left, not an hour on the clock: the browser's clock may be wrong."""
    return max(0, round((assignment.lease_until - timezone.now()).total_seconds()))


def _responses_in_order(row: dict[str, Any], order: list[int]) -> list[dict[str, Any]]:
    ids = row["response_ids"] if row["response_id"] is None else [row["response_id"]]
    found = row["responses"]
    return [
        {
            "candidate": i,
            "id": ids[i],
            "text": found[ids[i]]["text"],
            "finish": found[ids[i]]["finish"],
            "steps": _steps(**found[ids[i]]),
        }
        # an imported answer was given elsewhere, in an order that nobody knows
        for i in (order or range(len(ids)) if row["kind"] == TaskKind.PREFERENCE else range(len(ids)))
    ]


def _steps(text: str, spans: list[list[int]], finish: str) -> list[dict[str, Any]]:
    parts = [text[start:end] for start, end, *_ in spans]
    return [{"index": i, "text": part, "html": marked_up(part)} for i, part in enumerate(parts)]


def _guidelines_shown(pk: int | None, *, read: bool) -> dict[str, Any] | None:
    return None if pk is None else {**_guidelines(pk), "read": read}


@lru_cache(maxsize=64)
def _guidelines(pk: int) -> dict[str, Any]:
    guide = GuidelineVersion.objects.get(pk=pk)  # never edited: a change is a new version
    return {
        "pk": pk,
        "number": guide.number,
        "text": guide.text,
        "html": rich(guide.text),
        "examples": guide.examples,
    }


def _alternatives_shown(assignment: Assignment) -> list[dict[str, Any]]:
    """What this person asked the model for; no query for the many who asked for nothing."""
    if not assignment.shown.get("alternatives"):
        return []
    from webapp.annotate import alternatives  # it reads through the selectors, which read through this

    mine = alternatives.regenerations_of(assignment.task_id, assignment.user_id)
    return alternatives.regenerations_shown(mine, checked=alternatives.checker_seen(assignment))
