"""Answers from before days and disagreements were kept get theirs by a migration."""

from importlib import import_module

from django.apps import apps
from django.db import connection

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.models import DayCount

migration = import_module("webapp.annotate.migrations.0010_earlier_answers")
RIGHT = {"marks": [1, 1, 1], "verdict": "right"}


def test_days_and_disagreements_are_as_services_would_have_kept_them(project, iteration, submit, answer):
    said = {
        make.task_make(iteration, overlap=2): (answer, RIGHT),
        make.task_make(iteration, overlap=2): (answer, answer | {"corrections": {}}),
        make.preference_task_make(iteration, overlap=3): ({"winner": 0}, {"winner": 0}, {"winner": None}),
    }
    for task, payloads in said.items():
        for payload in payloads:
            claim = services.assignment_claim(user=make.member_make(project), project=project, kind=task.kind)
            submit(claim, payload=payload, seconds=7.5)
    kept = {}
    for task in said:
        task.refresh_from_db()
        kept[task.pk] = task.disagreement
        type(task).objects.filter(pk=task.pk).update(disagreement=0)
    days = set(DayCount.objects.values_list("user", "project", "day", "answers", "seconds"))
    DayCount.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(migration.DAYS)
        cursor.execute(migration.DAYS)  # nothing is counted twice
    migration.disagreements_set(apps, None)
    assert set(DayCount.objects.values_list("user", "project", "day", "answers", "seconds")) == days
    assert {task.pk: type(task).objects.get(pk=task.pk).disagreement for task in said} == kept
    assert sorted(kept.values()) == [0, 1 - 2 / 3, 0.5]
