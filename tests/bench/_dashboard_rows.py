"""Rows of a project with a long past, by SQL: what a million responses in 50 iterations leave behind.

Texts come from a few dozen molds of six steps with numbers of four digits put in, so that the spans of a mold
hold for every row. What is random follows from hashes of row numbers: a repeat makes the same project.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from tests.bench._annotate_rows import insert_like

MOLDS, SAMPLES, HELDOUT, PROBE, PEOPLE, TASKS, KEPT = 64, 8, 600, 300, 6, 200, 1000
OPENINGS = (
    "The farm starts the week with 1111 crates in the barn",
    "We are told that 1111 crates stand in the barn",
    "Let the number of crates in the barn be 1111",
    "First, 1111 crates are counted in the yard and barn",
)
MIDDLES = (
    "each day it sells 2222 of them on the market square",
    "then 2222 crates are sold to the shop at the corner",
    "a lorry brings 2222 further crates from the valley",
    "2222 crates turn out to be damaged and are put aside",
    "we subtract the 2222 crates that the school ordered",
    "half of the 2222 crates were paid for the day before",
)
CHECKS = (
    "let me check: 1111 and 2222 give the same total again",
    "so what is left is the difference of 1111 and 2222",
    "this means that 1111 is to be compared with the 2222",
    "wait, the order was for 2222 crates and not for 1111",
)


@dataclass(frozen=True)
class Mold:
    text: str
    spans: list[list[int]]
    token_ids: list[int]
    logprobs: list[float]


def molds() -> list[Mold]:
    """Six steps of about fifty characters each, 60 to 110 tokens."""
    rng = random.Random(1)
    made = []
    for _ in range(MOLDS):
        middles = rng.sample(MIDDLES, 3)
        lines = [rng.choice(OPENINGS), *middles, rng.choice(CHECKS)]
        lines = [f"Step {i}: {line}." for i, line in enumerate(lines, 1)] + ["Answer: 3333"]
        tokens, spans, at = rng.randint(60, 110), [], 0
        for i, line in enumerate(lines):
            spans.append([at, at + len(line), tokens * i // 6, tokens * (i + 1) // 6])
            at += len(line) + 1
        sure = rng.uniform(0.02, 0.6)
        made.append(
            Mold(
                "\n".join(lines),
                spans,
                [rng.randrange(32_000) for _ in range(tokens)],
                [round(-rng.expovariate(1 / sure), 4) for _ in range(tokens)],
            )
        )
    return made


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """Bulk writing: foreign keys are right by construction, and not checked row by row."""
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as db:
        db.execute("SET synchronous_commit = off; SET work_mem = '256MB'; SET maintenance_work_mem = '512MB'")
        db.execute("SET session_replication_role = replica")
        db.execute(
            "CREATE TEMP TABLE mold (id int PRIMARY KEY, text text, spans jsonb, token_ids int[],"
            " logprobs float8[])"
        )
        with db.cursor().copy("COPY mold FROM STDIN") as out:
            for i, mold in enumerate(molds()):
                arrays = ("{" + ",".join(map(str, a)) + "}" for a in (mold.token_ids, mold.logprobs))
                out.write_row((i, mold.text, json.dumps(mold.spans), *arrays))
        yield db


_FAMILIES = """
INSERT INTO projects_promptfamily (project_id, family, split)
SELECT %(project)s, %(split)s || g, %(split)s FROM generate_series(0, %(n)s - 1) g
"""
_PROMPTS = """
FROM (SELECT g, 'A farm has ' || 1000 + g %% 9000 || ' crates of apples and sells ' || 1000 + g * 7 %% 9000
      || ' of them in order ' || g || '. How many crates does it have to buy?' AS t
      FROM generate_series(0, %(n)s - 1) g) x ORDER BY g
"""


def prompts_write(db: Any, project: int, split: str, n: int) -> None:
    """A tenth each of ten levels of difficulty; the reference is of four digits."""
    from webapp.projects.models import Prompt

    keys = {"project": project, "split": split, "n": n}
    db.execute(_FAMILIES, keys)
    row = Prompt(project_id=project, split=split, verifier="number")
    insert_like(
        db, row, _PROMPTS, keys,
        family="%(split)s || g", external_id="%(split)s || g", content_sha="md5(%(split)s || g)", text="t",
        messages="jsonb_build_array(jsonb_build_object('role', 'user', 'content', t))",
        reference="(1000 + g * 13 %% 9000)::text",
        meta="jsonb_build_object('domain', 'farm', 'level', g %% 10)",
        created_at="now() - interval '1 year'",
    )  # fmt: skip


# How one sample comes out: right where c, drawn for it, is under a bar that skill raises and level lowers.
_SAMPLED = """
FROM (SELECT p.id AS prompt, p.reference, g, hashint8(%(iteration)s::bigint * 10000019 + g) AS h,
             hashint8(%(iteration)s::bigint * 20000023 + g) & 65535 AS c,
             65536 * least(0.98, greatest(0.02, %(skill)s - (p.meta->>'level')::int / 14.0)) AS bar
      FROM (SELECT id, reference, meta, row_number() OVER (ORDER BY id) - 1 AS n FROM projects_prompt
            WHERE project_id = %(project)s AND split = %(split)s ORDER BY id LIMIT %(prompts)s) p
      CROSS JOIN LATERAL (SELECT p.n * %(samples)s + s AS g FROM generate_series(0, %(samples)s - 1) s) s
     ) x
CROSS JOIN LATERAL (SELECT CASE WHEN x.c < x.bar THEN x.reference WHEN x.h & 63 = 0 THEN NULL
                    ELSE (x.reference::int + 1 + (x.h & 3))::text END AS answer) a
JOIN mold m ON m.id = x.h >> 8 & 63
"""
_TEXT = """replace(replace(replace(m.text, '1111', (1000 + x.g %% 9000)::text),
            '2222', (1000 + (x.h >> 4 & 4095))::text), '3333', coalesce(lpad(a.answer, 4, '0'), 'none'))"""


def samples_write(
    db: Any, keys: dict[str, Any], *, iteration: int | None, version: int, critics: int = 10, scores: bool
) -> None:
    """Responses to the first prompts of a split with the checker's scores; every ``critics``-th is criticised
    by the model, and refined after that. ``scores``: also those of a reward model."""
    from webapp.traces.models import Critique, Response, Score

    row = Response(
        iteration_id=iteration, model_version_id=version, origin="sample", dialect="chat",
        sampling={"temperature": 0.8, "max_new_tokens": 160},
    )  # fmt: skip
    insert_like(
        db, row, _SAMPLED, keys,
        id="md5(%(name)s || x.g)::uuid", prompt_id="x.prompt", text=_TEXT, step_spans="m.spans",
        token_ids="m.token_ids", logprobs="m.logprobs", answer="a.answer", seed="x.g",
        finish="CASE WHEN x.h & 127 = 1 THEN 'length' ELSE 'stop' END",
        verdict="CASE WHEN a.answer IS NULL THEN 'unknown' WHEN x.c < x.bar THEN 'right' ELSE 'wrong' END",
    )  # fmt: skip
    if iteration is None:
        return
    mine = "FROM traces_response x WHERE x.iteration_id = %(iteration)s AND x.origin = 'sample'"
    right = "CASE x.verdict WHEN 'right' THEN 1.0 WHEN 'wrong' THEN 0.0 END"
    insert_like(db, Score(name="verifier"), mine, keys, response_id="x.id", value=right, verdict="x.verdict")
    if scores:
        noisy = f"0.5 * coalesce({right}, 0) + (hashtext(x.id::text) & 65535) / 131072.0"
        insert_like(db, Score(name="reward"), mine, keys, response_id="x.id", value=noisy)
    some = f"{mine} AND (hashtext(x.id::text) & 1048575) %% {critics} = 0"
    wrong = "(x.verdict = 'wrong') <> (hashtext(x.text) & 7 = 0)"
    insert_like(
        db, Critique(author_kind="model", model_version_id=version), some, keys,
        id="md5('c' || x.id)::uuid", response_id="x.id", text="'I look at each step in turn.'",
        marks=f"CASE WHEN {wrong} THEN '{{1,1,-1,NULL,NULL,NULL}}' ELSE '{{1,1,1,1,1,1}}' END::int2[]",
        first_error=f"CASE WHEN {wrong} THEN 2 END",
        verdict=f"CASE WHEN {wrong} THEN 'wrong' ELSE 'right' END",
        parsed="hashtext(x.text) & 31 <> 1",
    )  # fmt: skip
    refined = Response(
        iteration_id=iteration, model_version_id=version, origin="refinement", dialect="chat", finish="stop"
    )
    mended = "hashtext(x.id::text) >> 21 & 3 = 0"
    insert_like(
        db, refined, f"{some} AND x.answer IS NOT NULL", keys,
        id="md5('r' || x.id)::uuid", prompt_id="x.prompt_id", parent_id="x.id", step_spans="x.step_spans",
        text="replace(x.text, 'crates', 'boxes ')", answer="x.answer", token_ids="x.token_ids",
        logprobs="x.logprobs", verdict=f"CASE WHEN {mended} THEN 'right' ELSE x.verdict END",
    )  # fmt: skip


_ANSWERS = (
    ("right", "{1,1,1,1,1,1}", None),
    ("wrong", "{1,1,-1,NULL,NULL,NULL}", 2),
    ("wrong", "{1,1,1,-1,NULL,NULL}", 3),
)


def _payload(i: int) -> str:
    verdict, marks, first = _ANSWERS[i]
    listed = json.loads(marks.replace("{", "[").replace("}", "]").replace("NULL", "null"))
    comments = {} if first is None else {str(first): "The sum is not right here."}
    return json.dumps({"marks": listed, "verdict": verdict, "first_error": first, "comments": comments})


def _by_word(*of: str) -> str:
    """An SQL expression that depends on which answer x gave."""
    cases = " ".join(f"WHEN {i} THEN {value}" for i, value in enumerate(of))
    return f"CASE (x.id * 31 + x.user_id) %% 3 {cases} END"


def answers_write(db: Any, keys: dict[str, Any], *, answered: bool) -> None:
    """TASKS tasks of an iteration, each asked of two; answered by both, or still open."""
    from webapp.annotate.models import Annotation, AnnotationRevision, AnnotationTask, Assignment
    from webapp.traces.models import Critique

    task = AnnotationTask(
        project_id=keys["project"], iteration_id=keys["iteration"], kind="step_critique", overlap=2,
        open_slots=0 if answered else 2, answers=2 if answered else 0, state="done" if answered else "open",
        reviewed=True,
    )  # fmt: skip
    some = f"""FROM (SELECT id, prompt_id FROM traces_response
        WHERE iteration_id = %(iteration)s AND origin = 'sample' ORDER BY id LIMIT {TASKS}) x"""
    insert_like(
        db, task, some, keys, prompt_id="x.prompt_id", response_id="x.id", created_at="%(at)s::timestamptz"
    )
    if not answered:
        return
    key, now = "gen_random_uuid()", datetime.now(UTC)
    claim = Assignment(state="submitted", lease_until=now)
    asked = """FROM (SELECT t.id, t.response_id, s FROM annotate_annotationtask t
        CROSS JOIN generate_series(0, 1) s WHERE t.iteration_id = %(iteration)s) x"""
    person = f"(%(people)s::bigint[])[1 + (x.id + x.s) %% {PEOPLE}]"
    at = "%(at)s::timestamptz + (x.id %% 600) * interval '10 s'"
    insert_like(db, claim, asked, keys, task_id="x.id", user_id=person, token=key, created_at=at)
    given = """FROM (SELECT a.id, a.task_id, a.user_id, a.created_at FROM annotate_assignment a
        JOIN annotate_annotationtask t ON t.id = a.task_id WHERE t.iteration_id = %(iteration)s) x"""
    answer = _by_word(*(f"'{_payload(i)}'::jsonb" for i in range(3)))
    same = {"task_id": "x.task_id", "assignment_id": "x.id", "created_at": "x.created_at"}
    insert_like(
        db, Annotation(state="accepted"), given, keys, user_id="x.user_id", submit_key=key, payload=answer,
        seconds="10 + x.id %% 25", **same,
    )  # fmt: skip
    mine = """FROM (SELECT a.*, t.response_id FROM annotate_annotation a
        JOIN annotate_annotationtask t ON t.id = a.task_id WHERE t.iteration_id = %(iteration)s) x"""
    version = AnnotationRevision(number=1, outcome="answered")
    insert_like(
        db, version, mine, keys, annotation_id="x.id", author_id="x.user_id", payload="x.payload",
        created_at="x.created_at",
    )  # fmt: skip
    insert_like(
        db, Critique(author_kind="person"), mine, keys, id=key, annotation_id="x.id", author_id="x.user_id",
        response_id="x.response_id", verdict="x.payload->>'verdict'",
        first_error="(x.payload->>'first_error')::int2",
        marks="(SELECT array_agg((m #>> '{{}}')::int2) FROM jsonb_array_elements(x.payload->'marks') m)",
    )  # fmt: skip


def examples_write(db: Any, keys: dict[str, Any], *, number: int) -> int:
    """KEPT right samples become examples, those people judged first, and a dataset version; its key."""
    from webapp.curate.models import DatasetVersion, Example

    kept = f"""FROM (SELECT r.*, t.id AS task FROM traces_response r
        LEFT JOIN annotate_annotationtask t ON t.response_id = r.id
        WHERE r.iteration_id = %(iteration)s AND r.verdict = 'right' AND r.origin = 'sample'
        ORDER BY t.id, r.id LIMIT {KEPT}) x"""
    example = Example(project_id=keys["project"], iteration_id=keys["iteration"], kind="sample")
    example.model_version_id, example.writer = keys["version"], "model"
    row = "jsonb_build_object('kind', 'sample', 'prompt_id', x.prompt_id::text, 'chosen', x.text)"
    insert_like(
        db, example, kept, keys, prompt_id="x.prompt_id", row=row, row_sha="md5(x.id::text)",
        response_id="x.id", accepted_by="CASE WHEN x.task IS NULL THEN 'verifier' ELSE 'people' END",
        text_sha="md5(x.text)",
    )  # fmt: skip
    db.execute(
        "INSERT INTO curate_example_annotations (example_id, annotation_id) SELECT e.id, a.id"
        " FROM curate_example e JOIN annotate_annotationtask t ON t.response_id = e.response_id"
        " JOIN annotate_annotation a ON a.task_id = t.id WHERE e.iteration_id = %(iteration)s",
        keys,
    )
    manifest = {"rows": KEPT, "kinds": {"sample": KEPT}, "answered": TASKS // 2}
    dataset = DatasetVersion(
        project_id=keys["project"], iteration_id=keys["iteration"], number=number, manifest=manifest,
        note="", sha256=f"{number:064x}",
    )  # fmt: skip
    insert_like(
        db, dataset, "FROM curate_example x WHERE x.iteration_id = %(iteration)s", keys,
        example_ids="array_agg(x.id ORDER BY x.id)", row_count="count(*)",
    )  # fmt: skip
    found = db.execute(
        "SELECT id FROM curate_datasetversion WHERE project_id = %(project)s AND number = %(number)s",
        keys | {"number": number},
    )
    return int(found.fetchone()[0])


@dataclass(frozen=True)
class Given:
    """What versions are measured on."""

    split: str
    n: int
    sha: str
    sampling: dict[str, Any]


def evaluation_write(db: Any, keys: dict[str, Any], *, version: int, given: Given) -> None:
    """A version's greedy answers to a split, with outcomes."""
    split, n = given.split, given.n
    from webapp.registry.models import Evaluation, EvaluationOutcome

    mine = keys | {
        "iteration": 900_000 + version, "split": split, "prompts": n, "samples": 1,
        "name": f"evaluated-{version}-{split}-",
    }  # fmt: skip
    samples_write(db, mine, iteration=None, version=version, scores=False)
    evaluation = Evaluation(
        model_version_id=version,
        split=split,
        prompts_sha=given.sha,
        size=n,
        n=n,
        done=True,
        sampling=given.sampling,
        seconds=40.0,
        tokens=n * 80,
    )
    one = """FROM (SELECT count(*) FILTER (WHERE r.verdict = 'right') AS n FROM traces_response r
        JOIN projects_prompt p ON p.id = r.prompt_id WHERE r.model_version_id = %(version)s
        AND r.iteration_id IS NULL AND p.split = %(split)s) x"""
    mine["version"] = version
    insert_like(db, evaluation, one, mine, right="x.n")
    outcomes = """FROM (SELECT e.id AS evaluation, r.id, r.prompt_id, r.verdict FROM registry_evaluation e
        JOIN traces_response r ON r.model_version_id = e.model_version_id AND r.iteration_id IS NULL
        JOIN projects_prompt p ON p.id = r.prompt_id AND p.split = e.split
        WHERE e.model_version_id = %(version)s AND e.split = %(split)s) x"""
    silent = "CASE x.verdict WHEN 'unknown' THEN 'wrong' ELSE x.verdict END"
    insert_like(
        db, EvaluationOutcome(), outcomes, mine, evaluation_id="x.evaluation", prompt_id="x.prompt_id",
        verdict=silent, response_id="x.id",
    )  # fmt: skip


def began(number: int, of: int) -> datetime:
    """An iteration a day, the last one today."""
    return datetime.now(UTC) - timedelta(days=of - number, hours=5)
