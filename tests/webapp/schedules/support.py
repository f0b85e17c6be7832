"""Answers and schedules, made as directly as their rows allow."""

import uuid
from datetime import UTC, datetime, timedelta

from loop.schedule import Plan
from tests import factories as make
from tests.webapp.iterations import support as iterations
from webapp.annotate.models import Annotation
from webapp.schedules.models import Schedule
from webapp.schedules.services import schedule_set

NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)
CHANGES = [*iterations.SMALL, "annotate.take=0"]


def hours(n):
    return timedelta(hours=n)


def schedule_make(project=None, *, name="Nightly", now=NOON, changes=CHANGES, recipe="rest-em", **plan):
    plan = Plan(**(plan or {"kind": "data", "every": 3}))
    project = project or iterations.project_with_prompts()
    return schedule_set(
        project=project, name=name, plan=plan, recipe=recipe, changes=changes, by=None, now=now
    )


def tasks_make(project, n, prompts=None, **policy):
    """Tasks of imported responses: of no iteration, on prompts of their own unless some are given."""
    from webapp.annotate.models import AnnotationTask

    made = []
    for prompt in prompts or [make.prompt_make(project) for _ in range(n)]:
        response = make.response_make(prompt)
        made.append(
            AnnotationTask.objects.create(
                project=project,
                kind="step_critique",
                prompt=prompt,
                response=response,
                open_slots=1,
                **policy,
            )
        )
    return made


def answer(task, user=None, **values):
    """An answer in the table; what submit does besides is not needed to be counted."""
    given = Annotation.objects.create(
        task=task,
        user=user or make.user_make(),
        submit_key=uuid.uuid4(),
        payload={"marks": [1, -1, None], "first_error": 1},
        **values,
    )
    task.answers += 1
    task.save(update_fields=["answers"])
    return given


def answers_make(project, n, **values):
    return [answer(task, **values) for task in tasks_make(project, n)]


def fresh(schedule):
    return Schedule.objects.get(pk=schedule.pk)


def outcomes(schedule):
    return [(run.outcome, run.key) for run in schedule.runs.order_by("id")]
