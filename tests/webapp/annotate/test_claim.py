"""Claiming: best task first, one's own live claim again, never a task twice, never more people than asked."""

import pytest
from django.core.exceptions import PermissionDenied

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.models import Assignment
from webapp.projects.models import Role

claim = services.assignment_claim


def test_highest_priority_first_then_oldest(project, iteration, person, submit):
    low, first, second = (make.task_make(iteration, priority=p) for p in (0.1, 0.9, 0.9))
    order = []
    for _ in range(3):
        claimed = claim(user=person, project=project)
        order.append(claimed.task_id)
        submit(claimed)
    assert order == [first.pk, second.pk, low.pk]
    assert claim(user=person, project=project) is None


def test_a_reload_resumes_the_live_claim(project, iteration, person):
    make.task_make(iteration)
    make.task_make(iteration)
    assert claim(user=person, project=project).pk == claim(user=person, project=project).pk


def test_besides_fetches_the_one_after(project, iteration, person):
    make.task_make(iteration)
    make.task_make(iteration)
    now = claim(user=person, project=project)
    after = claim(user=person, project=project, besides=now.token)
    assert after.task_id != now.task_id
    assert claim(user=person, project=project, besides=now.token).pk == after.pk
    assert claim(user=person, project=project).pk == now.pk


def test_overlap_asks_that_many_different_people(project, iteration, submit):
    task = make.task_make(iteration, overlap=2)
    people = [make.member_make(project) for _ in range(3)]
    claims = [claim(user=p, project=project) for p in people]
    assert [c is not None for c in claims] == [True, True, False]
    task.refresh_from_db()
    assert task.open_slots == 0
    submit(claims[0])
    task.refresh_from_db()
    assert (task.state, task.answers, task.open_slots) == ("open", 1, 0)
    submit(claims[1])
    task.refresh_from_db()
    assert (task.state, task.answers, task.open_slots) == ("done", 2, 0)


def test_kind_and_iteration_narrow_the_choice(project, iteration, person):
    make.task_make(iteration)
    pair = make.preference_task_make(iteration)
    other = make.task_make(make.iteration_make(project))
    assert claim(user=person, project=project, kind="preference").task_id == pair.pk
    assert claim(user=person, project=project, iteration=other.iteration).task_id == other.pk


def test_a_skipped_task_goes_to_others_and_not_back(project, iteration, person):
    task = make.task_make(iteration)
    claimed = claim(user=person, project=project)
    services.assignment_release(user=person, token=claimed.token, reason="too long")
    services.assignment_release(user=person, token=claimed.token, reason="again")  # a repeat changes nothing
    task.refresh_from_db()
    assert task.open_slots == 1
    assert Assignment.objects.get().skip_reason == "too long"
    assert claim(user=person, project=project) is None
    assert claim(user=make.member_make(project), project=project).task_id == task.pk


def test_viewers_and_strangers_cannot_claim(project, iteration):
    make.task_make(iteration)
    for user in (make.member_make(project, Role.VIEWER), make.user_make()):
        with pytest.raises(PermissionDenied):
            claim(user=user, project=project)
    assert claim(user=make.user_make(is_superuser=True), project=project) is not None


def test_what_is_shown_is_settled_at_the_claim(project, iteration, person):
    guide = make.guidelines_make(project)
    task = make.task_make(iteration, show_model_critique=True, show_reference=True)
    critique = make.model_critique_make(task.response)
    claimed = claim(user=person, project=project)
    make.guidelines_make(project, "changed")
    assert claimed.guideline_version == guide
    assert claimed.shown == {"model_critique": str(critique.pk), "reference": True, "order": []}


def test_hidden_critique_is_recorded_as_not_shown(project, iteration, person):
    task = make.task_make(iteration, show_model_critique=False)
    make.model_critique_make(task.response)
    assert claim(user=person, project=project).shown["model_critique"] is None


def test_preference_order_is_a_stored_permutation(project, iteration):
    make.preference_task_make(iteration, "Answer: 1", "Answer: 2", "Answer: 3", overlap=30)
    orders = [claim(user=make.member_make(project), project=project).order for _ in range(30)]
    assert all(sorted(o) == [0, 1, 2] for o in orders)
    assert len({tuple(o) for o in orders}) > 1


@pytest.mark.parametrize("done", [0, 30])
def test_the_number_of_queries_does_not_grow(
    project, iteration, person, submit, done, django_assert_num_queries
):
    for _ in range(done + 1):
        make.task_make(iteration)
    for _ in range(done):
        submit(claim(user=person, project=project))
    # savepoint, lock and facts, own claim, take the next task, insert, release
    with django_assert_num_queries(6):
        claim(user=person, project=project)
