"""Answers on their way out in a format of `loop.annotate.formats`, a row of the format per answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from loop.annotate.formats import (
    Answer,
    FormatError,
    TaskItem,
    exchange,
    exchange_names,
    training,
)
from loop.records import Message
from webapp.annotate.services.streaming import copied, one_moment
from webapp.projects.models import Project

# One line per final word; else per vote that counts; else the labels that came with the task, or its known
# answer. Alternatives that people rated come with their texts.
_ANSWERS = """
SELECT json_build_object(
    'messages', p.messages, 'reference', p.reference, 'meta', t.meta, 'text', r.text, 'spans', r.step_spans,
    'candidates', CASE WHEN t.kind = 'preference' THEN (
        SELECT json_agg(c.text ORDER BY at) FROM unnest(t.response_ids) WITH ORDINALITY AS one(id, at)
        JOIN traces_response c ON c.id = one.id) END,
    'payload', said.payload, 'outcome', said.outcome, 'seconds', said.seconds,
    'who', (SELECT username FROM accounts_user WHERE id = said.user_id), 'at', said.at,
    'branches', CASE WHEN said.payload ? 'branches' AND said.payload -> 'branches' <> '[]' THEN (
        SELECT json_object_agg(b.id, substr(b.text, 1 + (cut ->> 0)::int,
            (cut ->> 1)::int - (cut ->> 0)::int))
        FROM jsonb_array_elements(said.payload -> 'branches') x
        JOIN traces_response b ON b.id = (x ->> 'response')::uuid
        CROSS JOIN LATERAL (SELECT b.step_spans -> (x ->> 'step')::int AS cut)
        WHERE cut IS NOT NULL) END
)::text
FROM annotate_annotationtask t JOIN projects_prompt p ON p.id = t.prompt_id
LEFT JOIN traces_response r ON r.id = t.response_id
CROSS JOIN LATERAL (
    SELECT j.payload, j.outcome, NULL::float8 AS seconds, j.author_id AS user_id, j.updated_at AS at, 0 AS id
    FROM annotate_adjudication j WHERE j.task_id = t.id
    UNION ALL
    SELECT a.payload, a.outcome, a.seconds, a.user_id, a.created_at, a.id FROM annotate_annotation a
    WHERE a.task_id = t.id AND a.state IN ('submitted', 'accepted')
        AND NOT EXISTS (SELECT 1 FROM annotate_adjudication j WHERE j.task_id = t.id)
    UNION ALL
    SELECT t.meta #> '{labels,payload}', t.meta #>> '{labels,outcome}',
        (t.meta #>> '{labels,seconds}')::float8, NULL, NULL, 0
    WHERE t.meta ? 'labels' AND t.answers = 0
        AND NOT EXISTS (SELECT 1 FROM annotate_adjudication j WHERE j.task_id = t.id)
) said
WHERE t.project_id = %d AND t.purpose = 'label' AND t.kind IN ('step_critique', 'preference')
ORDER BY t.id, said.id
"""


def answered_rows(project: Project, name: str, neutral: str) -> Iterator[bytes]:
    """Lines of the format. What it has no word for (an answer set aside, a comparison) is left out.

    Raises:
        ValueError: an unknown policy for neutral steps, at once.
    """
    if name not in exchange_names():
        training(name).manifest(neutral=neutral)
    return _rows(project, name, neutral)


def _rows(project: Project, name: str, neutral: str) -> Iterator[bytes]:
    both = name in exchange_names()
    with one_moment() as cursor:
        for line in copied(cursor, _ANSWERS.replace("%d", str(int(project.pk)))):
            said = orjson.loads(line)
            item, answer = _item(said, name), _answer(said)
            rows = (
                _written(item, answer, name) if both else training(name).rows(item, answer, neutral=neutral)
            )
            for row in rows:
                yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _written(item: TaskItem, answer: Answer, name: str) -> list[dict[str, Any]]:
    if item.candidates and name != "plain":
        return []  # the other formats are about steps
    try:
        return [exchange(name).write(item, answer)]
    except FormatError:
        return []


def _item(said: dict[str, Any], name: str) -> TaskItem:
    meta = said["meta"]
    own = meta.get("format") == name  # what another format keeps means nothing to this one
    kept = dict(meta.get("row", {})) if own else {}
    if name == "prm800k":
        kept.setdefault("labeler", said["who"])
        kept.setdefault("timestamp", said["at"])
    return TaskItem(
        messages=tuple(Message(m["role"], m["content"]) for m in said["messages"]),
        text=said["text"] or "",
        spans=tuple((start, end) for start, end, *_ in said["spans"] or ()),
        candidates=tuple(said["candidates"] or ()),
        reference=said["reference"],
        external_id=meta.get("external_id", ""),
        meta=kept,
    )


def _answer(said: dict[str, Any]) -> Answer:
    payload = said["payload"]
    if texts := said["branches"]:
        told = [b | {"text": texts[b["response"]]} for b in payload["branches"] if b["response"] in texts]
        payload = payload | {"branches": told}
    return Answer(payload, said["outcome"], said["seconds"])
