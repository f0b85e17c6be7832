"""Many people at once: never two on one slot, none lost. Real threads, real connections."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import close_old_connections, connection

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.models import AnnotationTask, Assignment

pytestmark = pytest.mark.django_db(transaction=True)


def together(jobs):
    start = Barrier(len(jobs))

    def run(job):
        close_old_connections()
        try:
            start.wait()
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def test_two_people_never_hold_one_slot():
    project = make.project_make()
    iteration = make.iteration_make(project)
    for _ in range(5):
        make.task_make(iteration)
    people = [make.member_make(project) for _ in range(8)]
    claims = together([lambda p=p: services.assignment_claim(user=p, project=project) for p in people])
    taken = [c.task_id for c in claims if c]
    assert len(taken) == len(set(taken)) == 5
    assert set(AnnotationTask.objects.values_list("open_slots", flat=True)) == {0}


def test_one_person_in_many_tabs_gets_one_item():
    project = make.project_make()
    iteration = make.iteration_make(project)
    for _ in range(4):
        make.task_make(iteration)
    person = make.member_make(project)
    claims = together([lambda: services.assignment_claim(user=person, project=project)] * 4)
    assert len({c.pk for c in claims}) == 1
    assert Assignment.objects.count() == 1


def test_a_doubled_submit_is_one_answer():
    import uuid

    project = make.project_make()
    make.task_make(make.iteration_make(project))
    person = make.member_make(project)
    claim = services.assignment_claim(user=person, project=project)
    key = uuid.uuid4()
    payload = {"marks": [1, -1, None], "first_error": 1, "verdict": "wrong"}
    same = lambda: services.annotation_submit(  # noqa: E731
        user=person, assignment_token=claim.token, submit_key=key, payload=payload
    )
    made = together([same] * 4)
    assert len({a.pk for a in made}) == 1
    task = AnnotationTask.objects.get()
    assert (task.answers, task.state) == (1, "done")
