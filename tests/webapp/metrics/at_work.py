"""A project whose people are at work, for tests of the operations page."""

import uuid
from datetime import timedelta

from django.utils import timezone

from tests import factories as make
from tests.webapp.metrics.ledger import ledger_make
from webapp.annotate.models import Annotation, AnnotationTask, DayCount, Flag
from webapp.metrics.models import MetricValue


def said(first):
    return {"marks": [1] * first + [-1], "first_error": first, "verdict": "wrong"}


def at_work_make():
    """Ten tasks wait (ages 1 h to 10 days), four were answered by two people, of whom one flagged one."""
    past = ledger_make()
    project, now = past.project, timezone.now()
    ada, bob = make.member_make(project, username="ada"), make.member_make(project, username="bob")
    iteration = make.iteration_make(project)
    for hours in (1, 2, 5, 20, 30, 60, 70, 100, 200, 240):
        task = make.task_make(iteration, overlap=2)
        AnnotationTask.objects.filter(pk=task.pk).update(created_at=now - timedelta(hours=hours, minutes=1))
    for n in range(4):
        task = make.task_make(iteration, overlap=2)
        AnnotationTask.objects.filter(pk=task.pk).update(answers=2, open_slots=0, state="done")
        for user, first in ((ada, 1), (bob, 1 if n else 0)):
            given = Annotation.objects.create(
                task=task, user=user, payload=said(first), submit_key=uuid.uuid4(), seconds=20
            )
    Flag.objects.create(project=project, task=task, annotation=given, author=bob, reason="bad_problem")
    for days, user, answers in ((0, ada, 4), (1, ada, 30), (1, bob, 12), (5, bob, 28), (40, ada, 500)):
        day = now.date() - timedelta(days=days)
        DayCount.objects.create(project=project, user=user, day=day, answers=answers, seconds=20.0 * answers)
    for iteration in past.iterations[-2:]:
        for name, value in (("people_hours", 0.5), ("funnel", 60), ("seconds_per_answer", 18.0)):
            MetricValue.objects.create(
                project=project, iteration=iteration, name=name, value=value, n=90,
                unit={"people_hours": "h", "funnel": "count"}.get(name, "s"),
            )  # fmt: skip
    return past
