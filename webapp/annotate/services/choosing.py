"""Which task a person is given next: one look at the facts, then one statement that finds and takes it.

A queue of a million tasks costs as much as one of a thousand. A person's `QueueCursor` says up to where
they have gone through it, the index `task_queue` continues from there, and whether they had a task before
is probed task by task, never listed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from django.utils import timezone

from webapp.accounts.models import User
from webapp.annotate.models import AnnotationTask, Assignment, Invitation, TaskKind, TaskPurpose
from webapp.annotate.statements import columns_of, instance_of, row_of
from webapp.projects.models import Project

GOLD_SLOTS = 32_767  # what the column holds: a gold task does not run out of people
MOST_REPEAT_AFTER = 1000  # answers; so many rows of an index are passed over to find an old one
_REPEATABLE = 200  # answers before those, among which the one to repeat is drawn
_LOCKS = 0x77680001  # our class of advisory locks: one per person who claims


@dataclass(frozen=True, slots=True)
class Facts:
    """What a claim depends on beside the tasks. Hints but for ``may``: they may be a moment old."""

    may: bool  # annotate in the project
    guidelines: int | None  # the newest version's key
    queues: dict[str, dict[str, Any]]  # kind -> settings, in the kinds' order
    cursors: dict[str, tuple[float, int]]  # kind -> (priority, task) of the last task looked at
    answers: int  # this person's in the project
    today: int
    invited: bool  # an invitation they have not taken up
    requeued: bool  # a slot that came back
    gate: bool  # a comparison that a decision waits for


# The lock makes one person's claims wait for each other: two tabs get the same item, not two.
_FACTS = """
SELECT pg_advisory_xact_lock(%(locks)s::int, (%(user)s %% 2147483647)::int),
    %(always)s OR EXISTS (SELECT 1 FROM projects_membership WHERE project_id = %(project)s
        AND user_id = %(user)s AND role = ANY(%(roles)s)),
    (SELECT id FROM projects_guidelineversion WHERE project_id = %(project)s ORDER BY number DESC LIMIT 1),
    (SELECT json_agg(q) FROM annotate_queue q WHERE project_id = %(project)s),
    (SELECT json_object_agg(kind, json_build_array(priority, task_id)) FROM annotate_queuecursor
        WHERE user_id = %(user)s AND project_id = %(project)s),
    days.answers, days.today,
    EXISTS (SELECT 1 FROM annotate_invitation WHERE user_id = %(user)s AND NOT taken),
    EXISTS (SELECT 1 FROM annotate_annotationtask WHERE project_id = %(project)s AND state = 'open'
        AND open_slots > 0 AND purpose = 'label' AND NOT named AND requeued),
    EXISTS (SELECT 1 FROM annotate_annotationtask WHERE project_id = %(project)s AND state = 'open'
        AND open_slots > 0 AND purpose = 'gate')
FROM (SELECT coalesce(sum(answers), 0) AS answers,
             coalesce(sum(answers) FILTER (WHERE day = %(day)s), 0) AS today
      FROM annotate_daycount WHERE user_id = %(user)s AND project_id = %(project)s) days
"""


def facts_locked(user: User, project: Project, roles: list[str]) -> Facts:
    """The facts; this person's other claims wait until the transaction ends."""
    values = {
        "locks": _LOCKS,
        "user": user.pk,
        "project": project.pk,
        "always": user.is_superuser,
        "roles": roles,
        "day": timezone.now().date(),
    }
    row = row_of(_FACTS, values)
    assert row is not None
    queues = {queue["kind"]: queue for queue in _json(row[3]) or []}
    return Facts(
        may=row[1],
        guidelines=row[2],
        queues={kind: queues[kind] for kind in TaskKind.values if kind in queues},
        cursors={kind: (at[0], at[1]) for kind, at in (_json(row[4]) or {}).items()},
        answers=int(row[5]),
        today=int(row[6]),
        invited=row[7],
        requeued=row[8],
        gate=row[9],
    )


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


# ------------------------------------------------------------------------------------------ taking a slot
# OFFSET 0 keeps this a probe of a unique index per task looked at. As a join the planner may one day prefer
# to read the person's whole history first.
_NOT_HAD = """NOT EXISTS (
    SELECT 1 FROM annotate_assignment a WHERE a.task_id = t.id AND a.user_id = %(user)s OFFSET 0)"""
_FREE = f"t.project_id = %(project)s AND t.state = 'open' AND t.open_slots > 0 AND {_NOT_HAD}"
_QUEUED = f"{_FREE} AND t.purpose = 'label' AND NOT t.named"
# Who answered the task that a gold one was made of has seen it. While that one is open it may come to them
# yet, and they would vote on what they have been told.
_KNOWN = """t.purpose = 'gold' AND NOT t.named AND NOT EXISTS (SELECT 1 FROM annotate_assignment a
    WHERE a.task_id = (t.meta ->> 'gold_of')::bigint AND a.user_id = %(user)s OFFSET 0)
    AND NOT EXISTS (SELECT 1 FROM annotate_annotationtask o WHERE o.id = (t.meta ->> 'gold_of')::bigint
        AND o.state = 'open' OFFSET 0)"""
_GATE = f"{_FREE} AND t.purpose = 'gate'"
_IN_ORDER = "ORDER BY t.priority * -1, t.id"

_TAKE = """
WITH pick AS MATERIALIZED (
    SELECT * FROM ({arms}) arms LIMIT 1
), took AS (
    UPDATE annotate_annotationtask t
    SET open_slots = t.open_slots - 1, requeued = t.requeued AND t.open_slots > 1
    FROM pick WHERE t.id = pick.id RETURNING t.*, pick.source
), accepted AS (
    UPDATE annotate_invitation i SET taken = true FROM took
    WHERE took.source = 'invited' AND i.task_id = took.id AND i.user_id = %(user)s
), moved AS (
    INSERT INTO annotate_queuecursor (user_id, project_id, kind, priority, task_id)
    SELECT %(user)s, project_id, kind, priority, id FROM took WHERE source = 'queue'
    ON CONFLICT (user_id, project_id, kind)
    DO UPDATE SET priority = excluded.priority, task_id = excluded.task_id
)
SELECT {columns}, (
        SELECT c.id FROM traces_critique c WHERE c.response_id = took.response_id AND took.show_model_critique
            AND took.kind = 'step_critique' AND c.author_kind = 'model' AND c.parsed
        ORDER BY c.created_at DESC, c.id LIMIT 1
    ) AS model_critique
FROM took
"""


class Taking:
    """One attempt: arms are tried in the order they are added, and the first task found is taken.

    ``SKIP LOCKED``: whoever looks at the same task at this moment gets the one after it.
    """

    def __init__(self, user: User, project: Project, iteration_id: int | None) -> None:
        self.arms: list[str] = []
        self.values: dict[str, Any] = {"user": user.pk, "project": project.pk}
        self.also = ""
        if iteration_id is not None:
            self.also = " AND t.iteration_id = %(iteration)s"
            self.values["iteration"] = iteration_id

    def _arm(self, source: str, condition: str, order: str, tables: str = "") -> None:
        self.arms.append(
            f"SELECT * FROM (SELECT t.id, '{source}' AS source FROM annotate_annotationtask t{tables}"  # noqa: S608
            f" WHERE {condition}{self.also} {order} LIMIT 1 FOR NO KEY UPDATE OF t SKIP LOCKED) arm"
        )

    def _kind(self, kind: str) -> str:
        name = f"kind_{kind}"
        self.values[name] = kind
        return f"t.kind = %({name})s"

    def invited(self, kinds: list[str]) -> None:
        self.values["kinds"] = kinds
        mine = "i.user_id = %(user)s AND NOT i.taken AND i.task_id = t.id AND t.kind = ANY(%(kinds)s)"
        self._arm("invited", f"{mine} AND t.named AND {_FREE}", "ORDER BY i.id", ", annotate_invitation i")

    def gold(self, kind: str) -> None:
        of_each_person_a_shuffle = "ORDER BY md5(t.id::text || '/' || %(user)s)"
        self._arm("gold", f"{_KNOWN} AND {self._kind(kind)} AND {_FREE}", of_each_person_a_shuffle)

    def gate(self, kind: str) -> None:
        """Blind comparisons that a decision waits for: few, so that no cursor is needed."""
        self._arm("gate", f"{_GATE} AND {self._kind(kind)}", "ORDER BY t.id")

    def requeued(self, kind: str) -> None:
        self._arm("requeued", f"t.requeued AND {self._kind(kind)} AND {_QUEUED}", _IN_ORDER)

    def queue(self, kind: str, after: tuple[float, int] | None = None) -> None:
        # With an iteration named, the cursor would pass over what is free in others.
        source = "any" if self.also else "queue"
        onwards = ""
        if after and not self.also:
            onwards = f" AND (t.priority * -1, t.id) > (%(priority_{kind})s, %(after_{kind})s)"
            self.values |= {f"priority_{kind}": -after[0], f"after_{kind}": after[1]}
        self._arm(source, f"{self._kind(kind)} AND {_QUEUED}{onwards}", _IN_ORDER)

    def task(self) -> AnnotationTask | None:
        """The task that was found, one slot of it taken; ``model_critique`` is the critique's key."""
        if not self.arms:
            return None
        columns = columns_of(AnnotationTask, "took")
        found = row_of(_TAKE.format(arms=" UNION ALL ".join(self.arms), columns=columns), self.values)
        if found is None:
            return None
        task = instance_of(AnnotationTask, found)
        task.model_critique = found[-1]
        return task


# ---------------------------------------------------------------------------------------- gold and repeats
def draw(user: User, project: Project, facts: Facts, queue: dict[str, Any], *, ahead: int) -> str:
    """``gold``, ``repeat`` or ``label``: the same however often the page is reloaded.

    ``ahead``: items in the person's hands, whose answers do not count yet.
    """
    at = Random(f"{project.pk}/{user.pk}/{queue['kind']}/{facts.answers + ahead}").random()
    if at < queue["gold_share"]:
        return TaskPurpose.GOLD
    return TaskPurpose.REPEAT if at < queue["gold_share"] + queue["repeat_share"] else TaskPurpose.LABEL


_OLD = """
SELECT t.id, first.id FROM (
    SELECT task_id, assignment_id, outcome, state FROM annotate_annotation WHERE user_id = %(user)s
    ORDER BY created_at DESC OFFSET %(after)s LIMIT %(among)s
) old JOIN annotate_annotationtask t ON t.id = old.task_id
JOIN annotate_assignment first ON first.id = old.assignment_id
WHERE t.project_id = %(project)s AND t.kind = %(kind)s AND t.purpose = 'label' AND t.state <> 'closed'
    AND (%(iteration)s::bigint IS NULL OR t.iteration_id = %(iteration)s)
    AND old.outcome = 'answered' AND old.state IN ('submitted', 'accepted')
    AND NOT EXISTS (SELECT 1 FROM annotate_annotationtask x JOIN annotate_invitation i ON i.task_id = x.id
                    WHERE x.repeat_of_id = t.id AND i.user_id = %(user)s)
ORDER BY md5(t.id::text || '/' || %(user)s) LIMIT 1
"""


def repeat_make(
    user: User, project: Project, queue: dict[str, Any], iteration_id: int | None
) -> tuple[AnnotationTask, Assignment] | None:
    """A task that asks this person once more what they answered a while ago, and the claim of that time.

    Its only slot is theirs. None when nothing is old enough.
    """
    values = {
        "user": user.pk,
        "project": project.pk,
        "kind": queue["kind"],
        "iteration": iteration_id,
        "after": min(queue["repeat_after"], MOST_REPEAT_AFTER) - 1,
        "among": _REPEATABLE,
    }
    found = row_of(_OLD, values)
    if found is None:
        return None
    task, first = AnnotationTask.objects.get(pk=found[0]), Assignment.objects.get(pk=found[1])
    again = AnnotationTask.objects.create(
        project_id=task.project_id,
        iteration_id=task.iteration_id,
        kind=task.kind,
        prompt_id=task.prompt_id,
        response_id=task.response_id,
        response_ids=task.response_ids,
        critique_ids=task.critique_ids,
        purpose=TaskPurpose.REPEAT,
        repeat_of=task,
        named=True,
        priority=task.priority,
        overlap=1,
        open_slots=0,
        show_model_critique=task.show_model_critique,
        show_reference=task.show_reference,
    )
    Invitation.objects.create(task=again, user=user, taken=True)
    return again, first
