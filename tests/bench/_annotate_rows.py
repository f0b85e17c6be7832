"""Rows for the annotation bench, by SQL: prompts, six-step responses, tasks and one veteran's history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db import connection
from django.db.models import AutoField, DateTimeField, Model

from tests.bench._annotators import PAYLOAD
from webapp.annotate.models import Annotation, AnnotationRevision, AnnotationTask, Assignment
from webapp.projects.models import Prompt
from webapp.traces.models import Critique, Response

VETERAN_ANSWERS = 100_000
SAMPLES = 4  # responses per prompt

_STEP = (
    "Step {s}: the farm sells ' || g %% 97 || ' crates a day, so after {s} days it has sold "
    "' || (g %% 97) * {s} || ' crates and keeps the rest."
)
# One text per row, all different; the spans follow from its lines.
_TEXT = " || E'\\n' || ".join("'" + _STEP.format(s=s) + "'" for s in range(1, len(PAYLOAD["marks"]) + 1))

_FAMILIES = """
INSERT INTO projects_promptfamily (project_id, family, split)
SELECT %(project)s, 'bench-' || g, 'train' FROM generate_series(%(first)s, %(last)s) g
"""
_PROMPTS = """
FROM (SELECT g, 'A farm sells ' || g %% 97 || ' crates of apples a day. Each crate of order ' || g
             || ' holds ' || g %% 13 + 2 || ' apples. How many crates has it sold after six days?' AS t
      FROM generate_series(%(first)s, %(last)s) g) x
"""
_RESPONSES = f"""
FROM (SELECT g, {_TEXT} AS t FROM generate_series(%(first)s, %(last)s) g) x
JOIN projects_prompt p ON p.external_id = 'bench-' || x.g / {SAMPLES} AND p.project_id = %(project)s
ORDER BY x.g
"""
_SPANS = """(
    SELECT jsonb_agg(jsonb_build_array(b, b + n, null, null) ORDER BY i)
    FROM (SELECT i, length(l) AS n, sum(length(l) + 1) OVER (ORDER BY i) - length(l) - 1 AS b
          FROM unnest(string_to_array(x.t, E'\\n')) WITH ORDINALITY AS u(l, i)) lines)"""
_TASKS = """
FROM (SELECT r.id, r.prompt_id, g FROM generate_series(%(first)s, %(last)s) g
      JOIN traces_response r ON r.id = md5('bench' || g)::uuid ORDER BY g) x
"""
_MINE = """
FROM (SELECT id, response_id, row_number() OVER (ORDER BY id) AS n FROM annotate_annotationtask
      WHERE project_id = %(project)s ORDER BY id LIMIT %(answers)s) x ORDER BY n
"""
_ANSWERED = """
FROM (SELECT a.id, a.task_id, a.created_at, t.response_id FROM annotate_assignment a
      JOIN annotate_annotationtask t ON t.id = a.task_id WHERE a.user_id = %(user)s) x ORDER BY x.id
"""
_VERSIONS = "FROM annotate_annotation x WHERE x.user_id = %(user)s ORDER BY x.id"
_CRITIQUES = """
FROM (SELECT a.id, t.response_id FROM annotate_annotation a JOIN annotate_annotationtask t ON t.id = a.task_id
      WHERE a.user_id = %(user)s) x
"""
_TAKEN = """
UPDATE annotate_annotationtask t SET answers = 1,
       open_slots = CASE WHEN t.state = 'open' THEN overlap - 1 ELSE 0 END
WHERE t.id IN (SELECT task_id FROM annotate_assignment WHERE user_id = %(user)s)
"""


def insert_like(db: Any, row: Model, source: str, keys: dict[str, Any], /, **given: str) -> None:
    """One row per row of ``source`` (a FROM clause): as ``row`` (unsaved), but for the expressions given."""
    columns, values, constants = [], [], {}
    for field in row._meta.concrete_fields:
        if field.column in given:
            values.append(given[field.column])
        elif isinstance(field, AutoField):
            continue
        elif isinstance(field, DateTimeField) and getattr(field, "auto_now_add", False):
            values.append("now()")
        else:
            constants[f"_{field.column}"] = field.get_db_prep_save(getattr(row, field.attname), connection)
            values.append(f"%(_{field.column})s")
        columns.append(f'"{field.column}"')
    words = f"INSERT INTO {row._meta.db_table} ({', '.join(columns)}) SELECT {', '.join(values)} {source}"
    db.execute(words, keys | constants)


def load(url: str, *, tasks: int, overlap: int, project: int, iteration: int, veteran: int) -> None:
    """Fill a database with ``tasks`` open tasks and a veteran who has given 100,000 answers.

    With more than 100,000 tasks those answers are to tasks still open for two others: the queue's front is
    all his own. With no more than that they are to 100,000 further tasks that are done.
    """
    done = VETERAN_ANSWERS if tasks <= VETERAN_ANSWERS else 0
    total = tasks + done
    keys = {"project": project, "iteration": iteration, "user": veteran, "answers": VETERAN_ANSWERS}
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as db:
        db.execute("SET synchronous_commit = off; SET work_mem = '256MB'; SET maintenance_work_mem = '512MB'")
        span = {"first": 0, "last": total // SAMPLES}
        db.execute(_FAMILIES, keys | span)
        prompt = Prompt(project_id=project, split="train", verifier="number")
        named = {"family": "'bench-' || g", "external_id": "'bench-' || g", "content_sha": "md5(g::text)"}
        message = "jsonb_build_array(jsonb_build_object('role', 'user', 'content', t))"
        texts = {"text": "t", "messages": message, "reference": "(g %% 97 * 6)::text"}
        insert_like(db, prompt, _PROMPTS, keys | span, **named, **texts)
        db.commit()
        db.execute("ANALYZE projects_prompt")
        response = Response(iteration_id=iteration, origin="sample", dialect="chat")
        own = {"id": "md5('bench' || g)::uuid", "prompt_id": "p.id", "text": "x.t", "step_spans": _SPANS}
        for first in range(0, total, 50_000):
            span = {"first": first, "last": min(first + 50_000, total) - 1}
            insert_like(db, response, _RESPONSES, keys | span, answer="(g %% 97 * 6)::text", **own)
            db.commit()
        for first, last, state in ((0, done - 1, "done"), (done, total - 1, "open")):
            task = AnnotationTask(
                project_id=project,
                iteration_id=iteration,
                kind="step_critique",
                overlap=overlap,
                open_slots=overlap,
                state=state,
            )
            subject = {"prompt_id": "x.prompt_id", "response_id": "x.id"}
            insert_like(db, task, _TASKS, keys | {"first": first, "last": last}, **subject)
        db.commit()
        history_write(db, keys)
        where_his_claims_left_him = """
            INSERT INTO annotate_queuecursor (user_id, project_id, kind, priority, task_id)
            SELECT %(user)s, %(project)s, 'step_critique', 0, max(a.task_id) FROM annotate_assignment a
            JOIN annotate_annotationtask t ON t.id = a.task_id WHERE t.state = 'open' HAVING count(*) > 0"""
        db.execute(where_his_claims_left_him, keys)
        db.commit()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("VACUUM ANALYZE")  # as autovacuum would have by the time people come


def history_write(db: Any, keys: dict[str, Any]) -> None:
    """What the veteran's answers left behind: a claim, an answer with its first version, the critique."""
    user, key, now = keys["user"], "gen_random_uuid()", datetime.now(UTC)
    claim = Assignment(user_id=user, state="submitted", lease_until=now)
    past = "now() - n * interval '30 s'"
    insert_like(db, claim, _MINE, keys, task_id="x.id", token=key, created_at=past)
    answer = Annotation(user_id=user, payload=PAYLOAD, seconds=28.0)
    same = {"task_id": "x.task_id", "assignment_id": "x.id", "created_at": "x.created_at"}
    insert_like(db, answer, _ANSWERED, keys, submit_key=key, **same)
    version = AnnotationRevision(number=1, payload=PAYLOAD, outcome="answered", author_id=user)
    insert_like(db, version, _VERSIONS, keys, annotation_id="x.id")
    critique = Critique(author_kind="person", author_id=user, marks=PAYLOAD["marks"], verdict="right")
    insert_like(db, critique, _CRITIQUES, keys, id=key, annotation_id="x.id", response_id="x.response_id")
    db.execute(_TAKEN, keys)


_DOUBLE = """
SELECT count(*) FROM (
    SELECT t.id FROM annotate_annotationtask t JOIN annotate_assignment a ON a.task_id = t.id
    WHERE a.state IN ('active', 'submitted') AND a.id > %(since)s
    GROUP BY t.id, t.overlap HAVING count(*) > t.overlap OR count(*) > count(DISTINCT a.user_id)
) x
"""
_MISCOUNTED = """
SELECT count(*) FROM annotate_annotationtask t
JOIN (SELECT task_id, count(*) FILTER (WHERE state = 'active') AS live,
             count(*) FILTER (WHERE state = 'submitted') AS given
      FROM annotate_assignment
      WHERE task_id IN (SELECT task_id FROM annotate_assignment WHERE id > %(since)s) GROUP BY task_id) c
  ON c.task_id = t.id
WHERE t.open_slots <> t.overlap - live - given OR t.answers <> given
"""


def claims_last(url: str) -> int:
    with psycopg.connect(url) as db:
        row = db.execute("SELECT coalesce(max(id), 0) FROM annotate_assignment").fetchone()
    return int(row[0]) if row else 0


def slots_check(url: str, since: int) -> dict[str, int]:
    """Of the tasks claimed since: how many were held by too many, and how many whose slots do not add up."""
    with psycopg.connect(url) as db:
        double, miscounted = (
            db.execute(query, {"since": since}).fetchone() or (-1,) for query in (_DOUBLE, _MISCOUNTED)
        )
    return {"double_claims": int(double[0]), "miscounted_tasks": int(miscounted[0])}
