"""Asking about what is open in another order: a policy of `loop.annotate.order` over all of a queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction

from loop.annotate.order import NO_CONFIDENCE, Askable, choose, policy_names, with_control
from loop.records import Verdict
from webapp.accounts.models import User
from webapp.annotate.models import Queue, TaskKind
from webapp.annotate.services.queues import QueueRefused, cursors_forget
from webapp.projects.models import Project
from webapp.projects.services.setup import audit_record

AT_ONCE = 5000  # tasks written in one transaction: who claims meanwhile passes over no more than these

# What is known of each open task, one row each. A comparison is judged by its first candidate.
_KNOWN = """
SELECT t.id, t.prompt_id, r.verdict, (SELECT avg(l) FROM unnest(r.logprobs) l),
    coalesce((SELECT s.verdict FROM traces_score s WHERE s.response_id = r.id AND s.name = 'self_verdict'),
        (SELECT c.verdict FROM traces_critique c
         WHERE c.response_id = r.id AND c.author_kind = 'model' AND c.parsed
         ORDER BY c.created_at DESC, c.id LIMIT 1)),
    (SELECT avg(s.value) FROM traces_score s
     WHERE s.response_id = r.id AND s.name NOT IN ('verifier', 'self_verdict')),
    t.disagreement, t.answers, 1 - solved.share
FROM annotate_annotationtask t
LEFT JOIN traces_response r ON r.id = coalesce(t.response_id, t.response_ids[1])
LEFT JOIN (
    SELECT prompt_id, avg((verdict = 'right')::int) AS share FROM traces_response
    WHERE verdict IN ('right', 'wrong') AND prompt_id IN (
        SELECT prompt_id FROM annotate_annotationtask WHERE project_id = %(project)s AND state = 'open')
    GROUP BY prompt_id
) solved ON solved.prompt_id = t.prompt_id
WHERE t.project_id = %(project)s AND t.kind = %(kind)s AND t.state = 'open' AND t.purpose = 'label'
ORDER BY t.id
"""

_WRITE = """
WITH wanted AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(priorities)s::float8[], %(controls)s::bool[])
        AS w(id, priority, control)
), held AS MATERIALIZED (
    SELECT t.id FROM annotate_annotationtask t JOIN wanted ON wanted.id = t.id
    ORDER BY t.id FOR NO KEY UPDATE OF t
)
UPDATE annotate_annotationtask t SET priority = w.priority,
    meta = CASE WHEN w.control THEN t.meta || '{"control": true}' ELSE t.meta - 'control' END
FROM wanted w JOIN held ON held.id = w.id WHERE t.id = w.id
"""


def _askables(project: Project, kind: str) -> Iterator[Askable]:
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, {"project": project.pk, "kind": kind})
        while rows := cursor.fetchmany(AT_ONCE):
            for pk, prompt, verdict, sure, judge, score, disagreement, answers, tail in rows:
                checker = _verdict(verdict)
                yield Askable(
                    str(pk),
                    str(prompt),
                    verdict=checker or _verdict(judge),
                    confidence=NO_CONFIDENCE if sure is None else sure,
                    judge=_verdict(judge),
                    checker=checker,
                    score=score,
                    variance=disagreement if answers > 1 else None,
                    tail=None if tail is None else float(tail),
                )


def _verdict(word: str | None) -> Verdict | None:
    return Verdict(word) if word in (Verdict.RIGHT, Verdict.WRONG) else None


def queue_reorder(
    *, project: Project, kind: str, by: User | None, order: str | None = None, seed: int = 0
) -> int:
    """Put the open tasks of a queue in the order of a policy (or of the queue's own), best first.

    A share of the queue's size is drawn uniformly instead (``control_share``) and marked in the tasks'
    ``meta``: statistics over what people say hold on those. Written in parts, so that people go on meanwhile;
    who claims between two parts may be given a task of the old order. Not to be called in a transaction
    that has other things to do. About 1 KB of memory per open task. Returns how many tasks there are.

    Raises:
        QueueRefused: no such policy.
    """
    queue, _ = Queue.objects.get_or_create(project=project, kind=TaskKind(kind))
    order = order or queue.order
    if order not in policy_names():
        raise QueueRefused([f"There is no order {order!r}; there are: {', '.join(policy_names())}."])
    known = list(_askables(project, queue.kind))
    ordered = with_control(choose(known, order, len(known), seed), queue.control_share, seed)
    ranks = sorted((int(a.response_id), float(len(ordered) - i), a.control) for i, a in enumerate(ordered))
    for start in range(0, len(ranks), AT_ONCE):
        part = ranks[start : start + AT_ONCE]
        ids, priorities, controls = (list(column) for column in zip(*part, strict=True))
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, {"ids": ids, "priorities": priorities, "controls": controls})
    with transaction.atomic():
        Queue.objects.filter(pk=queue.pk).update(order=order)
        cursors_forget(project_id=project.pk, kind=queue.kind)
        data: dict[str, Any] = {"order": order, "seed": seed, "tasks": len(ranks)}
        audit_record(project=project, actor=by, verb="queue reordered", target=queue.kind, data=data)
    return len(ranks)
