"""Leases: an expired claim gives its slot back, once; late work counts while nobody took the slot."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.errors import AnnotateConflict
from webapp.annotate.models import Annotation, AnnotationTask, Assignment, Draft


@pytest.fixture
def task(iteration):
    return make.task_make(iteration)


@pytest.fixture
def late(project, task, person):
    """A claim whose lease ran out and was swept."""
    claim = services.assignment_claim(user=person, project=project)
    services.draft_save(user=person, token=claim.token, payload={"marks": [1, None, None]}, revision=0)
    run_out(claim)
    assert services.assignments_sweep(now=timezone.now()) == 1
    claim.refresh_from_db()
    return claim


def run_out(claim):
    past = timezone.now() - timedelta(seconds=1)
    Assignment.objects.filter(pk=claim.pk).update(lease_until=past)


def slots(task):
    return AnnotationTask.objects.get(pk=task.pk).open_slots


def test_sweep_gives_the_slot_back_once(task, late):
    assert (late.state, slots(task)) == ("expired", 1)
    assert services.assignments_sweep(now=timezone.now()) == 0
    assert slots(task) == 1


def test_a_live_lease_is_left_alone(project, task, person):
    services.assignment_claim(user=person, project=project)
    assert services.assignments_sweep(now=timezone.now()) == 0


def test_several_expired_claims_of_one_task(project, iteration):
    task = make.task_make(iteration, overlap=3)
    for _ in range(3):
        run_out(services.assignment_claim(user=make.member_make(project), project=project))
    assert services.assignments_sweep(now=timezone.now()) == 3
    assert slots(task) == 3


def test_claiming_does_not_wait_for_the_sweeper(project, task, person):
    run_out(services.assignment_claim(user=person, project=project))
    assert services.assignment_claim(user=make.member_make(project), project=project).task_id == task.pk


def test_late_work_counts_while_the_slot_is_free(task, late, submit):
    submit(late)
    task.refresh_from_db()
    assert (task.answers, task.open_slots, task.state) == (1, 0, "done")


def test_late_work_is_refused_once_someone_else_has_the_slot(project, task, late, submit):
    services.assignment_claim(user=make.member_make(project), project=project)
    with pytest.raises(AnnotateConflict) as refused:
        submit(late)
    assert refused.value.code == "lease_lost"
    assert Annotation.objects.count() == 0
    assert Draft.objects.get(assignment=late).payload == {"marks": [1, None, None]}  # kept


def test_coming_back_resumes_the_expired_claim_with_its_draft(project, task, late, person):
    again = services.assignment_claim(user=person, project=project)
    assert (again.pk, again.state, slots(task)) == (late.pk, "active", 0)
    assert again.draft.revision == 1


def test_heartbeat_extends_and_revives(project, task, late, person):
    assert services.assignment_heartbeat(user=person, token=late.token).lease_until > timezone.now()
    assert slots(task) == 0


def test_heartbeat_tells_who_lost_the_lease(project, task, late, person):
    services.assignment_claim(user=make.member_make(project), project=project)
    with pytest.raises(AnnotateConflict, match="someone else has it now"):
        services.assignment_heartbeat(user=person, token=late.token)


def test_a_withdrawn_task_is_not_claimed_nor_answered(project, iteration, task, person, submit):
    claim = services.assignment_claim(user=person, project=project)
    assert services.tasks_close(iteration=iteration) == 1
    assert services.assignment_claim(user=person, project=project) is None
    for act in (lambda: submit(claim), lambda: services.assignment_heartbeat(user=person, token=claim.token)):
        with pytest.raises(AnnotateConflict) as refused:
            act()
        assert refused.value.code == "task_closed"


def test_claims_handed_back_are_free_for_others_and_the_draft_is_kept(project, iteration, task):
    asks, other = make.member_make(project), make.member_make(project)
    claim = services.assignment_claim(user=asks, project=project)
    services.draft_save(user=asks, token=claim.token, payload={"marks": [1, None, None]}, revision=0)
    assert services.assignment_claim(user=other, project=project) is None
    assert services.assignments_hand_back(user=asks, iteration=iteration) == 1
    assert services.assignment_claim(user=other, project=project) is not None
    claim.refresh_from_db()
    assert (claim.state, claim.draft.payload) == ("expired", {"marks": [1, None, None]})
