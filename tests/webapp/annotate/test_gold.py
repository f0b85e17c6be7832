"""Gold items, silent repeats and named people: mixed in as set, and nothing on the screen gives them away."""

import random
from collections import Counter

import pytest
from rest_framework.test import APIClient

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.items import item_of
from webapp.annotate.models import Annotation, AnnotationTask, Invitation, Queue
from webapp.traces.models import Critique, Preference

claim = services.assignment_claim
RIGHT = {"marks": [1, 1, 1], "verdict": "right"}


@pytest.fixture
def gold(project, iteration, submit):
    """A gold copy of a task that somebody else answered; its first error is step 2."""
    make.task_make(iteration)
    other = make.member_make(project)
    made = submit(claim(user=other, project=project))
    return services.gold_make(by=None, annotation=made)


def setting(project, kind="step_critique", **values):
    Queue.objects.update_or_create(project=project, kind=kind, defaults=values)


def test_gold_comes_at_its_rate_and_never_twice(project, iteration, submit):
    for _ in range(60):
        make.task_make(iteration)
    author = make.member_make(project)
    for _ in range(20):
        services.gold_make(by=None, annotation=submit(claim(user=author, project=project)))
    setting(project, gold_share=0.3)
    person = make.member_make(project)
    given = []
    for _ in range(40):
        one = claim(user=person, project=project)
        given.append(AnnotationTask.objects.get(pk=one.task_id))
        assert claim(user=person, project=project).pk == one.pk  # a reload draws nothing anew
        submit(one)
    kinds = Counter(task.purpose for task in given)
    assert 5 <= kinds["gold"] <= 20
    assert len({task.pk for task in given}) == 40


def test_an_answer_to_gold_is_no_vote_and_uses_nothing_up(project, iteration, gold, person, submit):
    setting(project, gold_share=1.0)
    make.task_make(iteration)
    one = claim(user=person, project=project)
    assert one.task_id == gold.pk
    critiques = Critique.objects.count()
    submit(one)
    gold.refresh_from_db()
    assert (gold.state, gold.answers, gold.overlap - gold.open_slots) == ("open", 1, 1)
    assert Critique.objects.count() == critiques
    assert claim(user=person, project=project).task_id != gold.pk


def test_nothing_in_the_item_tells_gold(project, iteration, gold, person):
    setting(project, gold_share=1.0)
    plain = make.task_make(iteration)
    shown = item_of(claim(user=person, project=project))
    setting(project, gold_share=0.0)
    other = claim(user=make.member_make(project), project=project)
    assert other.task_id == plain.pk
    usual = item_of(other)
    assert shown["task"] == gold.pk
    assert shown.keys() == usual.keys()
    same = ("kind", "iteration", "queue", "today", "regenerations", "returned", "model_critique", "reference")
    assert {key: shown[key] for key in same} == {key: usual[key] for key in same}
    assert "gold" not in str(shown)


@pytest.mark.parametrize(("feedback", "told"), [("hidden", False), ("immediate", True)])
def test_feedback_is_given_only_where_the_queue_says_so(project, gold, person, answer, feedback, told):
    setting(project, gold_share=1.0, gold_feedback=feedback)
    api = APIClient()
    api.force_authenticate(person)
    token = api.post(f"/api/projects/{project.slug}/tasks/next", {}, format="json").json()["item"]["token"]
    body = {"submit_key": token, "payload": RIGHT, "seconds": 4.0}
    reply = api.post(f"/api/assignments/{token}/submit", body, format="json").json()
    assert reply["today"] == {"answers": 1, "seconds": 4, "quota": None}
    if told:
        assert reply["gold"]["agrees"] is False
        assert reply["gold"]["words"] == "The first error is in step 2."
        assert reply["gold"]["expected"]["first_error"] == 1
    else:
        assert reply["gold"] is None


SECOND = {"verdict": "wrong", "first_error": 1}


@pytest.mark.parametrize(
    ("kind", "known", "given", "agrees"),
    [
        ("step_critique", SECOND, SECOND, True),
        ("step_critique", SECOND, {"verdict": "wrong", "first_error": 2}, False),
        ("step_critique", {"verdict": "right", "first_error": None}, {"verdict": "right"}, True),
        ("preference", {"winner": 0, "all_bad": False}, {"winner": 0, "all_bad": False}, True),
        ("preference", {"winner": None, "all_bad": True}, {"winner": None, "all_bad": False}, False),
        ("critique_review", {"decision": "accept"}, {"decision": "reject"}, False),
    ],
)
def test_what_agrees_with_gold(kind, known, given, agrees):
    assert services.gold_check(kind, known, given)["agrees"] is agrees


def test_gold_needs_an_answer(project, iteration, person, submit):
    task = make.task_make(iteration)
    with pytest.raises(services.QueueRefused, match="no final word"):
        services.gold_make(by=None, task=task)
    aside = submit(claim(user=person, project=project), outcome="unsure", payload={"reason": "?"})
    with pytest.raises(services.QueueRefused, match="set aside"):
        services.gold_make(by=None, annotation=aside)


def test_gold_made_again_replaces_the_answer(project, gold, submit, iteration):
    source = Annotation.objects.get(task_id=gold.meta["gold_of"])
    source.payload = {**source.payload, "first_error": 0}
    assert services.gold_make(by=None, annotation=source).pk == gold.pk
    gold.refresh_from_db()
    assert gold.gold["first_error"] == 0


def test_a_repeat_asks_again_what_was_answered_long_enough_ago(project, iteration, person, submit):
    random.seed(3)
    tasks = [make.preference_task_make(iteration) for _ in range(6)]
    setting(project, "preference", repeat_share=0.0, repeat_after=3)
    firsts = {}
    for _ in range(4):
        one = claim(user=person, project=project)
        firsts[one.task_id] = one
        submit(one, payload={"winner": 0})
    setting(project, "preference", repeat_share=1.0, repeat_after=3)
    again = claim(user=person, project=project)
    task = AnnotationTask.objects.get(pk=again.task_id)
    assert task.purpose == "repeat"
    assert task.repeat_of_id in list(firsts)[:2]  # three answers back, or four
    assert again.order == firsts[task.repeat_of_id].order[::-1]  # the sides are swapped
    votes = Preference.objects.count()
    submit(again, payload={"winner": 0})
    assert Preference.objects.count() == votes
    assert claim(user=make.member_make(project), project=project).task_id in {t.pk for t in tasks}
    repeated = {task.repeat_of_id}
    for _ in range(10):
        one = claim(user=person, project=project)
        if one is None:
            break
        of = AnnotationTask.objects.get(pk=one.task_id).repeat_of_id
        assert of is None or of not in repeated  # nothing is repeated twice
        repeated.add(of)
        submit(one, payload={"winner": 0})


def test_too_early_for_a_repeat_the_queue_goes_on(project, iteration, person, submit):
    setting(project, repeat_share=1.0, repeat_after=5)
    for _ in range(3):
        make.task_make(iteration)
        one = claim(user=person, project=project)
        assert AnnotationTask.objects.get(pk=one.task_id).purpose == "label"
        submit(one)


def test_named_people_alone_are_asked(project, iteration, submit):
    task, rest = make.task_make(iteration, overlap=3), make.task_make(iteration)
    one, two, other = (make.member_make(project) for _ in range(3))
    assert services.tasks_invite(project=project, by=None, task_ids=[task.pk], users=[one, two]) == 1
    task.refresh_from_db()
    assert (task.named, task.overlap, task.open_slots) == (True, 2, 2)
    assert claim(user=other, project=project).task_id == rest.pk
    submit(claim(user=one, project=project))
    assert claim(user=two, project=project).task_id == task.pk
    assert Invitation.objects.filter(taken=True).count() == 2


def test_an_invitation_taken_back_makes_a_task_everybodys(project, iteration, person):
    task = make.task_make(iteration, overlap=1)
    one = make.member_make(project)
    services.tasks_invite(project=project, by=None, task_ids=[task.pk], users=[one])
    services.tasks_invite(project=project, by=None, task_ids=[task.pk], users=[])
    assert claim(user=person, project=project).task_id == task.pk


def test_outsiders_are_not_invited(project, iteration):
    task = make.task_make(iteration)
    with pytest.raises(services.QueueRefused, match="may not annotate"):
        services.tasks_invite(project=project, by=None, task_ids=[task.pk], users=[make.user_make()])


def test_gold_waits_until_the_task_it_was_made_of_is_no_longer_asked(project, iteration, person, submit):
    """Else somebody is told the answer by the gold item and votes on the very same one afterwards."""
    source = make.task_make(iteration, overlap=2)
    vote = submit(claim(user=make.member_make(project), project=project))
    gold = services.gold_make(by=None, annotation=vote)
    setting(project, gold_share=1.0, gold_feedback="immediate")
    assert claim(user=person, project=project).task_id == source.pk
    submit(claim(user=person, project=project))
    assert claim(user=make.member_make(project), project=project).task_id == gold.pk


def test_repeats_come_of_every_kind_when_none_is_named(project, iteration, person, submit):
    make.task_make(iteration)
    submit(claim(user=person, project=project))  # a queue of another kind, tried first, with nothing in it
    first = make.preference_task_make(iteration)
    submit(claim(user=person, project=project), payload={"winner": 0})
    rest = make.preference_task_make(iteration)
    setting(project, "preference", repeat_share=1.0, repeat_after=1)
    again = AnnotationTask.objects.get(pk=claim(user=person, project=project).task_id)
    assert (again.purpose, again.repeat_of_id) == ("repeat", first.pk)
    assert rest.state == "open"


def test_a_task_that_nobody_is_left_to_be_asked_for_is_done(project, iteration, submit):
    """An open task without a slot would hold its iteration for ever."""
    task = make.task_make(iteration, overlap=3)
    one = make.member_make(project)
    submit(claim(user=one, project=project))
    services.tasks_invite(project=project, by=None, task_ids=[task.pk], users=[one])
    task.refresh_from_db()
    assert (task.state, task.overlap, task.open_slots) == ("done", 1, 0)


def test_an_answer_sent_back_keeps_its_place_beside_those_invited(project, iteration, submit, answer):
    task = make.task_make(iteration)
    one, two, lead = (make.member_make(project) for _ in range(3))
    made = submit(claim(user=one, project=project))
    services.answer_send_back(by=lead, annotation=made, note="Look at step 3.")
    services.tasks_invite(project=project, by=None, task_ids=[task.pk], users=[two])
    task.refresh_from_db()
    assert (task.state, task.overlap, task.open_slots) == ("open", 2, 1)
    services.annotation_revise(user=one, pk=made.pk, payload=answer, outcome="answered", revision=1)
    submit(claim(user=two, project=project))
    task.refresh_from_db()
    assert (task.state, task.answers, task.open_slots) == ("done", 2, 0)
    assert services.tasks_create(iteration=iteration, kind="step_critique", items=[]) == 1


def test_who_was_named_and_skips_is_not_waited_for(project, iteration, submit):
    task = make.task_make(iteration)
    one, two = (make.member_make(project) for _ in range(2))
    services.tasks_invite(project=project, by=None, task_ids=[task.pk], users=[one, two])
    submit(claim(user=one, project=project))
    held = claim(user=two, project=project)
    services.assignment_release(user=two, token=held.token)
    task.refresh_from_db()
    assert (task.state, task.overlap, task.open_slots) == ("done", 1, 0)
