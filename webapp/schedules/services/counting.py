"""What people answered since a schedule's last start: counted bit by bit, gone through when it matters.

An answer counts when it was given to a task that asks for labels, judges something, and was neither rejected
nor sent back; by whom, person or simulated, is all one. With agreement as weight, what counts is the task:

    weight of a task = 1 − disagreement          of two answers or more (the share of the largest camp)
                     = the answerer's share right on known answers, where there are `KNOWN_LEAST` of them
                     = 1                         otherwise

A task counts once however many new answers it has, so the weight never exceeds the number of answers.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, F, QuerySet, Sum

from loop.schedule import Plan
from webapp.annotate.models import Annotation, AnnotationTask, TaskPurpose
from webapp.annotate.people import gold_rates
from webapp.projects.models import Project
from webapp.schedules.models import Schedule, Tally

KNOWN_LEAST = 5
# What became of answers may change without a new one (a lead takes a rejection back): looked at again then.
STALE = timedelta(hours=1)

ACCEPTED = (Annotation.State.SUBMITTED, Annotation.State.ACCEPTED)


def tally_make(*, schedule: Schedule) -> Tally:
    """Start to count: from now on."""
    newest, _ = _newest()
    return Tally.objects.create(schedule=schedule, start_id=newest, seen_id=newest)


def tally_update(tally: Tally, project: Project) -> None:
    """Count what came since the last look: range scans of the primary key, however much there is before."""
    if tally.mark_id is not None and tally.mark_at is not None and _settled(tally.mark_at):
        tally.seen += answers_given(project, tally.seen_id, tally.mark_id).count()
        tally.seen_id, tally.mark_id = tally.mark_id, None
    if tally.mark_id is None:
        newest, at = _newest()
        if newest > tally.seen_id:
            tally.mark_id, tally.mark_at = newest, at
    later = answers_given(project, tally.seen_id).count()
    tally.most = max(tally.seen + later - tally.start_answers, 0)
    tally.save()


def reached_at_most(tally: Tally, plan: Plan, now: datetime) -> float:
    """An upper bound of what `reached` would find: what it found last, and all that was given since.

    One answer adds at most 1 to the number; to the weight at most 2, as it may confirm another.
    """
    if tally.exact_at is None or now - tally.exact_at > STALE:
        return tally.most
    each = 2 if plan.weighted else 1
    return min(tally.exact + each * max(tally.most - tally.exact_most, 0), tally.most)


def reached(tally: Tally, plan: Plan, project: Project, now: datetime) -> float:
    """How many answers, or how much weight, there is since the last start, looked at one by one."""
    since = answers_given(project, tally.start_id).filter(state__in=ACCEPTED)
    if plan.weighted:
        found = max(weight_of(project, since) - tally.start_weight, 0.0)
    else:
        found = float(max(since.count() - tally.start_answers, 0))
    tally.exact, tally.exact_most, tally.exact_at = found, tally.most, now
    tally.save()
    return found


def tally_restart(tally: Tally, project: Project) -> None:
    """An iteration starts: count from here."""
    tally_update(tally, project)
    later = answers_given(project, tally.seen_id)
    tally.start_id, tally.seen = tally.seen_id, 0
    tally.start_answers = later.count()
    tally.start_weight = weight_of(project, later.filter(state__in=ACCEPTED))
    tally.most, tally.exact, tally.exact_most, tally.exact_at = 0, 0.0, 0, None
    tally.save()


def answers_given(project: Project, after: int, until: int | None = None) -> QuerySet[Annotation]:
    """Answers with these ids to the project's label tasks, whatever became of them."""
    given = Annotation.objects.filter(
        pk__gt=after,
        task__project=project,
        task__purpose=TaskPurpose.LABEL,
        outcome=Annotation.Outcome.ANSWERED,
    )
    return given if until is None else given.filter(pk__lte=until)


def weight_of(project: Project, answers: QuerySet[Annotation]) -> float:
    """The weights of the tasks that these answers are about, summed."""
    tasks = AnnotationTask.objects.filter(pk__in=answers.values("task"), answers__gte=2)
    agreed: float = tasks.aggregate(w=Sum(1.0 - F("disagreement"), default=0.0))["w"]
    alone = answers.filter(task__answers__lt=2).values("user").annotate(n=Count("task", distinct=True))
    by_user = {row["user"]: row["n"] for row in alone.order_by()}
    rates = gold_rates(project, by_user) if by_user else {}
    for user, n in by_user.items():
        rate = rates.get(user)
        known = rate is not None and rate.value is not None and rate.n >= KNOWN_LEAST
        agreed += n * (rate.value if known and rate and rate.value is not None else 1.0)
    return agreed


def _newest() -> tuple[int, datetime]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0), clock_timestamp() FROM annotate_annotation")
        newest, at = cursor.fetchone()
    return newest, at


def _settled(at: datetime) -> bool:
    """Whether all transactions under way at ``at`` have ended: what they wrote can be seen, or never."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT NOT EXISTS (
                SELECT 1 FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start <= %s
            )
            """,
            [at],
        )
        return bool(cursor.fetchone()[0])
