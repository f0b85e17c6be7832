"""Storing chunks of imported tasks: what is here already is looked up, what is new goes in by COPY."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import orjson
from django.db import connection
from django.utils import timezone

from loop.annotate.formats import Answer, Outcome
from loop.records import Origin, Split
from webapp import copying
from webapp.accounts.models import User
from webapp.annotate.errors import PayloadInvalid
from webapp.annotate.intake import PROMPT_COLUMNS, RESPONSE_COLUMNS, TASK_COLUMNS, Intake, Order
from webapp.annotate.models import AnnotationTask, Queue, TaskKind, TaskPurpose
from webapp.annotate.payload import Beside, payload_clean
from webapp.annotate.services.choosing import GOLD_SLOTS
from webapp.annotate.services.given import Given, answers_store
from webapp.annotate.services.rows import Rows, ids_take, references_are_ours
from webapp.projects.models import Project, Prompt, PromptFamily
from webapp.traces.models import Response

_TRAIN = Split.TRAIN.value
Subject = tuple[bytes, ...]  # ids of the responses a task is about


@dataclass(slots=True)
class Counts:
    """What became of one chunk."""

    read: int = 0
    imported: int = 0
    already: int = 0
    prompts: int = 0
    answers: int = 0
    gold: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)


class _Here:
    """What the database has of a chunk, and what the chunk adds as its lines are gone through."""

    def __init__(self, prompts: dict[str, tuple[int, str]], homes: dict[str, str]) -> None:
        self.prompts = prompts  # content sha -> id, split
        self.homes = homes  # family -> split
        self.responses: set[bytes] = set()
        self.tasks: set[Subject] = set()
        self.prompt_ids: Iterator[int] = iter(())
        self.old: tuple[set[str], set[int], set[bytes]] = (set(), set(), set())
        # Families, prompts and responses that were here before and get new rows that refer to them.
        self.parents: tuple[set[str], set[int], set[bytes]] = (set(), set(), set())

    def begin(self, prompt_ids: Iterable[int]) -> None:
        """From now on what is added is the chunk's own."""
        self.prompt_ids = iter(prompt_ids)
        self.old = set(self.homes), {pk for pk, _ in self.prompts.values()}, self.responses.copy()


class Store:
    """Stores one chunk after the other inside the caller's transaction, which holds the project's import
    lock. Keeps settings and prepared parts of rows from chunk to chunk, and no rows."""

    def __init__(self, project: Project, order: Order, answers_by: User | None, *, gold: bool) -> None:
        self.project, self.order, self.answers_by, self.gold = project, order, answers_by, gold
        self.queue = Queue.objects.get_or_create(project=project, kind=order.kind)[0]
        self.single = order.kind == TaskKind.STEP_CRITIQUE
        now = {"created_at": timezone.now()}
        people = GOLD_SLOTS if gold else self.queue.overlap
        policy = {
            "kind": order.kind,
            "purpose": TaskPurpose.GOLD.value if gold else TaskPurpose.LABEL.value,
            "overlap": people,
            "open_slots": people,
            "show_model_critique": self.queue.show_model_critique,
            "show_reference": self.queue.show_reference,
        }
        mine = {"project": project.pk}
        self.families = Rows(PromptFamily, ("family",), mine | {"split": _TRAIN})
        self.prompts = Rows(Prompt, ("id", *PROMPT_COLUMNS), mine | {"split": _TRAIN} | now)
        self.responses = Rows(
            Response, ("id", "prompt", *RESPONSE_COLUMNS), {"origin": Origin.SAMPLE.value} | now
        )
        about = "response" if self.single else "response_ids"
        columns = ("id", "prompt", about, *TASK_COLUMNS, *(["gold"] if gold else []))
        self.tasks = Rows(AnnotationTask, columns, mine | policy | now)
        self.ours = references_are_ours(project, PromptFamily, Prompt, Response, AnnotationTask)

    def chunk(self, part: Intake) -> Counts:
        """Store what is new of a chunk; ``bad`` names the lines that cannot be stored."""
        counts = Counts(read=len(part.lines), bad=part.bad)
        with connection.cursor() as cursor:
            here = self._here(cursor, part)
            given = self._rows(part, here, counts, cursor)
            with self.ours(cursor, *here.parents):
                for table in (self.families, self.prompts, self.responses, self.tasks):
                    table.write(cursor)
        if given and self.answers_by:
            answers_store(project=self.project, user=self.answers_by, given=given)
        counts.bad.sort()
        return counts

    # Each look-up goes key by key through an index (LATERAL with a limit): the tables grow within this
    # transaction, and the planner's idea of them is from before it.
    def _here(self, cursor: Any, part: Intake) -> _Here:
        # "The first at or after" and not "equal": only the unique index is in that order. By equality the
        # planner may take another that begins with the project, and read all its prompts for each key.
        cursor.execute(
            "SELECT sha, id, split FROM unnest(%(shas)s::text[]) AS sha CROSS JOIN LATERAL (SELECT id, split,"
            " project_id, content_sha FROM projects_prompt"
            " WHERE (project_id, content_sha) >= (%(project)s, sha) ORDER BY project_id, content_sha"
            " LIMIT 1) WHERE project_id = %(project)s AND content_sha = sha",
            {"shas": list(set(part.shas)), "project": self.project.pk},
        )
        prompts = {sha: (pk, split) for sha, pk, split in cursor.fetchall()}
        new = {family for sha, family in zip(part.shas, part.families, strict=True) if sha not in prompts}
        cursor.execute(
            "SELECT one, split FROM unnest(%s::text[]) AS one CROSS JOIN LATERAL (SELECT split"
            " FROM projects_promptfamily WHERE project_id = %s AND family = one LIMIT 1)",
            [list(new), self.project.pk],
        )
        here = _Here(prompts, dict(cursor.fetchall()))
        if prompts:
            self._tasks_here(cursor, part, here)
        return here

    def _tasks_here(self, cursor: Any, part: Intake, here: _Here) -> None:
        """Responses and tasks of this kind and purpose that are here, of the prompts that are."""
        asked = [
            rid.hex()
            for sha, subjects in zip(part.shas, part.responses, strict=True)
            if sha in here.prompts
            for rid, _ in subjects
        ]
        cursor.execute(
            "SELECT one FROM unnest(%s::uuid[]) AS one CROSS JOIN LATERAL (SELECT 1 FROM traces_response"
            " WHERE id = one LIMIT 1)",
            [asked],
        )
        here.responses = {row[0].bytes for row in cursor.fetchall()}
        about = "ARRAY[response_id]" if self.single else "response_ids"
        cursor.execute(
            f"SELECT about FROM unnest(%s::bigint[]) AS one CROSS JOIN LATERAL (SELECT {about} AS about"  # noqa: S608
            " FROM annotate_annotationtask WHERE prompt_id = one AND kind = %s AND purpose = %s"
            " AND iteration_id IS NULL OFFSET 0)",
            [
                [pk for pk, _ in here.prompts.values()],
                self.order.kind,
                TaskPurpose.GOLD if self.gold else TaskPurpose.LABEL,
            ],
        )
        here.tasks = {tuple([rid.bytes for rid in row[0]]) for row in cursor.fetchall()}

    def _rows(self, part: Intake, here: _Here, counts: Counts, cursor: Any) -> list[Given]:
        """Make the rows that are new. Returns the answers that come with them."""
        here.begin(ids_take(cursor, Prompt, len({sha for sha in part.shas if sha not in here.prompts})))
        task_ids = iter(ids_take(cursor, AnnotationTask, len(part.lines)))
        given: list[Given] = []
        answers: Iterator[Any] = iter(part.answers) if self.order.labels else repeat((None, ()))
        columns = part.lines, part.shas, part.families, part.prompts, part.responses, part.tasks
        for line, sha, family, packed, subjects, meta, (answer, texts) in zip(
            *columns, answers, strict=False
        ):
            known = here.prompts.get(sha)
            home = known[1] if known else here.homes.get(family, _TRAIN)
            if home != _TRAIN:
                what = "the prompt is" if known else "a near-copy of the prompt is"
                counts.bad.append((line, f"{what} in {home}, and what is annotated may be trained on"))
                continue
            subject = tuple([rid for rid, _ in subjects])
            if subject in here.tasks:
                counts.already += 1
                continue
            try:
                clean = self._clean(answer, texts)
            except PayloadInvalid as error:
                counts.bad.append((line, f"labels: {' '.join(error.problems)}"))
                continue
            prompt = known[0] if known else self._prompt(sha, family, packed, here)
            counts.prompts += known is None
            self._responses(prompt, subjects, here)
            here.tasks.add(subject)
            pk = next(task_ids)
            about = copying.uuid(subject[0]) if self.single else copying.uuids(subject)
            known_answer = copying.jsonb(orjson.dumps(clean)) if self.gold else b""
            self.tasks.add(copying.int8(pk), copying.int8(prompt), about, meta, known_answer)
            if clean is not None and not self.gold:
                told = (clean, answer.outcome, answer.seconds)
                given.append(Given(pk, prompt, subject, self.order.kind, *told))
            counts.imported += 1
        counts.gold, counts.answers = counts.imported * self.gold, len(given)
        return given

    def _prompt(self, sha: str, family: str, packed: bytes, here: _Here) -> int:
        """A new prompt, and its family where that is new, too."""
        pk = next(here.prompt_ids)
        here.prompts[sha] = (pk, _TRAIN)
        if family not in here.homes:
            here.homes[family] = _TRAIN
            self.families.add(copying.text(family))
        elif family in here.old[0]:
            here.parents[0].add(family)
        self.prompts.add(copying.int8(pk), packed)
        return pk

    def _responses(self, prompt: int, subjects: Iterable[tuple[bytes, bytes]], here: _Here) -> None:
        if prompt in here.old[1]:
            here.parents[1].add(prompt)
        for rid, body in subjects:
            if rid not in here.responses:
                here.responses.add(rid)
                self.responses.add(copying.uuid(rid), copying.int8(prompt), body)
            elif rid in here.old[2]:
                here.parents[2].add(rid)

    def _clean(self, answer: Answer | None, texts: tuple[str, ...]) -> dict[str, Any] | None:
        """The labels as an answer of the workspace; None where there are none and none are needed.

        Raises:
            PayloadInvalid: they do not fit.
        """
        if answer is None:
            if self.gold:
                raise PayloadInvalid(["A gold task needs them, and there are none."])
            return None
        if self.gold and answer.outcome != Outcome.ANSWERED:
            raise PayloadInvalid([f"An answer set aside as {answer.outcome!r} is no known answer."])
        beside = Beside(list(texts), error_kinds=self.queue.error_kinds, criteria=self.queue.criteria)
        task = AnnotationTask(kind=self.order.kind)
        return payload_clean(task=task, outcome=answer.outcome, payload=dict(answer.payload), beside=beside)
