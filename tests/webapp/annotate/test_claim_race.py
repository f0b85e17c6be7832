"""Many people at once: never two on one slot, none lost. Real threads, real connections."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from django.db import close_old_connections, connection, transaction
from django.utils import timezone

from loop.stages import Stage
from tests import factories as make
from webapp.annotate import services
from webapp.annotate.errors import AnnotateConflict
from webapp.annotate.models import Annotation, AnnotationTask, Assignment
from webapp.iterations.models import Iteration

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


def test_a_revision_waits_for_the_iteration_that_is_moving_on():
    project = make.project_make()
    iteration = make.iteration_make(project)
    make.task_make(iteration)
    person = make.member_make(project)
    claim = services.assignment_claim(user=person, project=project)
    made = services.annotation_submit(
        user=person,
        assignment_token=claim.token,
        submit_key=claim.token,
        payload={"marks": [1, -1, None], "first_error": 1, "verdict": "wrong"},
    )
    asked = Event()

    def revise():
        close_old_connections()
        asked.set()
        try:
            payload = {"marks": [1, 1, 1], "verdict": "right"}
            services.annotation_revise(
                user=person, pk=made.pk, payload=payload, outcome="answered", revision=1
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Iteration.objects.filter(pk=iteration.pk).update(stage=Stage.CURATE.value)
            late = pool.submit(revise)
            asked.wait()
            with pytest.raises(TimeoutError):  # it waits for the move, whose outcome it cannot know yet
                late.result(timeout=0.3)
        with pytest.raises(AnnotateConflict, match="gone on"):
            late.result()
    assert Annotation.objects.get().revision == 1


def test_sweeps_that_share_tasks_do_not_deadlock():
    project = make.project_make()
    iteration = make.iteration_make(project)
    people = [make.member_make(project) for _ in range(4)]
    for _ in range(12):
        task = make.task_make(iteration, overlap=len(people))
        for person in people:
            Assignment.objects.create(task=task, user=person, lease_until=timezone.now())
    AnnotationTask.objects.update(open_slots=0)
    now = timezone.now()
    swept = together([lambda: services.assignments_sweep(now=now)] * 4)
    assert sum(swept) + services.assignments_sweep(now=now) == 48
    assert set(AnnotationTask.objects.values_list("open_slots", flat=True)) == {4}
