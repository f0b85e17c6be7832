"""Alternatives from a step on: who may ask for them, how workers take them, who may see them."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from loop.dialects import dialect_named
from loop.records import Author, Sampling
from loop.runtime import run_method
from loop.sample.alternatives import alternatives as written_from
from loop.scripted import ScriptedEngine
from tests import factories as make
from tests.webapp.iterations.support import together
from webapp.annotate import alternatives, leased, services
from webapp.annotate.errors import AnnotateConflict, PayloadInvalid
from webapp.annotate.models import Annotation, AnnotationTask, Assignment, Regeneration
from webapp.annotate.services import regeneration as module
from webapp.projects.models import Role
from webapp.registry.models import ModelVersion
from webapp.traces.models import Critique, Response

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = ("2 + 2 = 4", "4 + 1 = 6", "Answer: 6")


@pytest.fixture
def project():
    project = make.project_make(dialect="terse")
    champion = ModelVersion.objects.create(
        project=project, number=1, name=f"{project.slug}-1", base="seed", dialect="terse"
    )
    project.champion = champion
    project.save()
    return project


@pytest.fixture
def task(project):
    return make.task_make(make.iteration_make(project), *STEPS)


@pytest.fixture
def person(project):
    return make.member_make(project)


@pytest.fixture
def claim(task, person):
    return services.assignment_claim(user=person, project=task.project)


def ask(claim, step=1, **more):
    return services.regeneration_ask(user=claim.user, token=claim.token, step=step, **more)


def write(row, *tails):
    """What a worker does, with a scripted engine."""
    work = alternatives.regeneration_for_work(row.pk)
    (trace,) = run_method(
        written_from(
            work.response.record(), row.step, len(tails), {int(k): v for k, v in row.corrections.items()}
        ),
        [work.response.prompt.record()],
        ScriptedEngine(lambda _, i: tails[i]),
        Sampling(temperature=0.8),
        dialect=dialect_named("terse"),
        model_name=work.model_version.name,
        run_key=f"regeneration/{row.pk}",
    )
    services.regeneration_finish(pk=row.pk, token=row.token, trace=trace)


def written(claim, *tails, step=1):
    asked = ask(claim, step)
    write(services.regeneration_claim(), *tails)
    return asked


def lapse(row):
    Regeneration.objects.filter(pk=row.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


# ---------------------------------------------------------------------------------------------- asking
def test_what_is_asked_is_on_the_row_and_the_champion_is_asked(claim, task):
    row = ask(claim, 2, count=4, corrections={1: " 4 + 1 = 5 ", 0: " "})
    row.refresh_from_db()
    assert (row.state, row.step, row.count, row.corrections) == ("queued", 2, 4, {"1": "4 + 1 = 5"})
    assert row.model_version_id == task.project.champion_id
    claim.refresh_from_db()
    assert claim.shown["alternatives"] is True


def test_the_wake_up_goes_to_the_queue_of_models(claim, monkeypatch):
    woken = []
    monkeypatch.setattr(module.broker, "announce", woken.append)
    ask(claim)
    assert woken == ["model"]


def test_asked_again_while_it_is_written_the_same_comes_back(claim):
    first = ask(claim)
    assert ask(claim).pk == first.pk
    assert ask(claim, 2).pk != first.pk
    write(services.regeneration_claim(), "5", "6", "7")
    assert ask(claim).pk != first.pk


def test_two_presses_at_once_make_one_request(claim):
    rows = together([lambda: ask(claim)] * 4)
    assert len({row.pk for row in rows}) == 1


def test_the_claim_is_locked_before_its_task_as_everywhere(claim):
    """The other way round, asking and submitting at once would wait for each other until one is ended."""
    with CaptureQueriesContext(connection) as queries:
        ask(claim)
    locks = [q["sql"] for q in queries if "FOR UPDATE" in q["sql"] or "FOR NO KEY UPDATE" in q["sql"]]
    tables = [sql.split(" FROM ")[1].split()[0].strip('"') for sql in locks]
    assert tables == ["annotate_assignment", "annotate_annotationtask"]


def test_one_may_not_ask_for_ever(claim, monkeypatch):
    monkeypatch.setattr(module, "MOST_PER_TASK", 2)
    written(claim, "5\n")
    services.regeneration_cancel(user=claim.user, pk=ask(claim, 0).pk)  # costs nothing
    written(claim, "6\n")
    with pytest.raises(AnnotateConflict, match="asked 2 times") as refused:
        ask(claim)
    assert refused.value.code == "asked_enough"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"step": 3}, "no step 4"),
        ({"step": -1}, "no step 0"),
        ({"count": 0}, "Between 1 and 6"),
        ({"count": 7}, "Between 1 and 6"),
        ({"corrections": {1: "x"}}, "Step 2 is not before step 2"),
        ({"corrections": {0: "a\0b"}}, "cannot be stored"),
    ],
)
def test_what_cannot_be_asked(claim, given, words):
    with pytest.raises(PayloadInvalid, match=words):
        ask(claim, **{"step": 1, **given})


def test_without_a_champion_there_is_nobody_to_ask(claim, project):
    project.champion = None
    project.save()
    with pytest.raises(AnnotateConflict) as refused:
        ask(claim)
    assert refused.value.code == "no_champion"


def test_only_a_live_claim_or_a_lead_may_ask(claim, task, project):
    other, lead = make.member_make(project), make.member_make(project, Role.LEAD)
    with pytest.raises(Assignment.DoesNotExist):
        services.regeneration_ask(user=other, token=claim.token, step=1)
    assert services.regeneration_ask(user=lead, token=claim.token, step=1).author == lead
    with pytest.raises(Assignment.DoesNotExist):  # a lead elsewhere
        services.regeneration_ask(
            user=make.member_make(make.project_make(), Role.LEAD), token=claim.token, step=1
        )
    for state, code in (("expired", "lease_lost"), ("released", "already_answered")):
        Assignment.objects.filter(pk=claim.pk).update(state=state)
        with pytest.raises(AnnotateConflict) as refused:
            ask(claim)
        assert refused.value.code == code
    Assignment.objects.filter(pk=claim.pk).update(state="active")
    AnnotationTask.objects.filter(pk=task.pk).update(state="closed")
    with pytest.raises(AnnotateConflict) as refused:
        ask(claim)
    assert refused.value.code == "task_closed"


def test_an_answer_sent_back_is_worked_on_again(claim):
    made = services.annotation_submit(
        user=claim.user,
        assignment_token=claim.token,
        submit_key=uuid.uuid4(),
        payload={"marks": [1, 1, 1], "verdict": "right"},
    )
    with pytest.raises(AnnotateConflict, match="already answered"):
        ask(claim)
    Annotation.objects.filter(pk=made.pk).update(state="sent_back")
    assert ask(claim).state == "queued"


def test_responses_are_not_regenerated_where_none_is_judged_by_steps(project):
    make.preference_task_make(make.iteration_make(project))
    person = make.member_make(project)
    claim = services.assignment_claim(user=person, project=project)
    with pytest.raises(AnnotateConflict) as refused:
        ask(claim, 0)
    assert refused.value.code == "not_here"


# ------------------------------------------------------------------------------- lease and fencing token
def test_oldest_first_and_only_of_the_base_at_hand(claim):
    first, second = ask(claim, 1), ask(claim, 2)
    assert services.regeneration_claim(base="another") is None
    taken = services.regeneration_claim(base="seed")
    assert (taken.pk, taken.state, taken.attempt) == (first.pk, "running", 1)
    assert services.regeneration_claim().pk == second.pk
    assert services.regeneration_claim() is None


def test_workers_who_race_take_each_request_once(claim):
    rows = {ask(claim, step).pk for step in range(3)}
    taken = together([services.regeneration_claim] * 6)
    assert sorted(row.pk for row in taken if row) == sorted(rows)


def test_a_late_worker_writes_nothing(claim):
    ask(claim)
    late = services.regeneration_claim()
    lapse(late)
    heir = services.regeneration_claim()
    assert (heir.pk, heir.attempt) == (late.pk, 2)
    assert not services.regeneration_heartbeat(pk=late.pk, token=late.token, partial=["late"])
    with pytest.raises(services.RegenerationLost):
        write(late, "late")
    services.regeneration_fail(pk=late.pk, token=late.token, error="late")
    services.regeneration_release(pk=late.pk, token=late.token)
    heir.refresh_from_db()
    assert (heir.state, heir.partial, Response.objects.filter(origin="continuation").count()) == (
        "running",
        [],
        0,
    )
    write(heir, "5\n", "7\n")
    heir.refresh_from_db()
    assert (heir.state, heir.responses.count(), heir.token) == ("done", 2, None)


def test_a_cancelled_request_stops_its_worker(claim):
    row = ask(claim)
    at_work = services.regeneration_claim()
    services.regeneration_cancel(user=claim.user, pk=row.pk)
    assert not services.regeneration_heartbeat(pk=row.pk, token=at_work.token)
    with pytest.raises(services.RegenerationLost):
        write(at_work, "5")
    with pytest.raises(Regeneration.DoesNotExist):
        services.regeneration_cancel(user=make.member_make(row.project), pk=row.pk)
    assert services.regeneration_claim() is None


def test_a_request_that_kills_its_workers_fails_with_a_sentence(claim):
    row = ask(claim)
    for _ in range(leased.MOST_ATTEMPTS):
        lapse(services.regeneration_claim())
    assert services.regeneration_claim() is None
    row.refresh_from_db()
    assert (row.state, row.error) == ("failed", "Gave up after 3 attempts: each worker that took it died.")


def test_given_back_it_waits_again_and_costs_no_attempt(claim):
    row = ask(claim)
    taken = services.regeneration_claim()
    services.regeneration_heartbeat(pk=row.pk, token=taken.token, partial=["5"])
    services.regeneration_release(pk=row.pk, token=taken.token)
    row.refresh_from_db()
    assert (row.state, row.attempt, row.partial, row.token) == ("queued", 0, [], None)


def test_the_sweep_calls_again_gives_up_and_leaves_a_busy_worker_alone(claim, monkeypatch):
    woken = []
    monkeypatch.setattr(module.broker, "announce", woken.append)
    row = ask(claim)
    woken.clear()
    now = timezone.now()
    assert (services.regenerations_sweep(now=now), woken) == (0, [])  # the first wake-up is on its way
    assert (services.regenerations_sweep(now=now + timedelta(seconds=3)), woken) == (1, ["model"])
    taken = services.regeneration_claim()
    other = ask(claim, 2)
    woken.clear()
    assert services.regenerations_sweep(now=timezone.now() + timedelta(seconds=3)) == 1
    assert woken == []  # the one at work looks by itself
    services.regenerations_sweep(now=now + timedelta(minutes=11))
    other.refresh_from_db()
    assert (other.state, "No model worker took this" in other.error) == ("failed", True)
    Regeneration.objects.filter(pk=row.pk).update(attempt=leased.MOST_ATTEMPTS)
    lapse(taken)
    services.regenerations_sweep(now=timezone.now())
    row.refresh_from_db()
    assert row.state == "failed"


# --------------------------------------------------------------------------------- what comes out of it
def test_alternatives_are_responses_that_continue_the_good_prefix(claim, task):
    row = written(claim, "4 + 1 = 5\nAnswer: 4", "4 + 1 = 5\nAnswer: 5")
    first, second = Response.objects.filter(regeneration=row).order_by("created_at")
    assert first.text == "2 + 2 = 4\n4 + 1 = 5\nAnswer: 4"
    assert [s.text for s in first.steps] == ["2 + 2 = 4", "4 + 1 = 5", "Answer: 4"]
    assert (first.origin, first.parent_id, first.model_version) == (
        "continuation",
        task.response_id,
        task.project.champion,
    )
    assert first.iteration_id == task.iteration_id
    assert first.seed != second.seed


def test_once_the_iteration_has_gone_on_its_material_stays_what_it_was(claim, task):
    ask(claim)
    task.iteration.stage = "curate"
    task.iteration.save()
    write(services.regeneration_claim(), "5")
    assert Response.objects.get(origin="continuation").iteration_id is None


def test_each_text_is_shown_once_and_the_original_step_is_named(claim):
    row = written(claim, "4 + 1 = 5\nAnswer: 5", "4 + 1  = 6\nAnswer: 5", "4 + 1 = 5\nAnswer:  5")
    (shown,) = alternatives.regenerations_shown([row_now(row)], checked=True)
    assert [(i["steps"], i["times"], i["same_step"]) for i in shown["items"]] == [
        (["4 + 1 = 5", "Answer: 5"], 2, False),
        (["4 + 1  = 6", "Answer: 5"], 1, True),
    ]
    assert shown["items"][0]["verdict"] is not None
    assert (shown["words"], shown["live"], shown["partial"]) == ("", "", [])
    (hidden,) = alternatives.regenerations_shown([row_now(row)], checked=False)
    assert {i["verdict"] for i in hidden["items"]} == {None}


def row_now(row):
    return Regeneration.objects.select_related("response").get(pk=row.pk)


def test_the_wait_in_words(claim):
    first, second = ask(claim, 1), ask(claim, 2)
    now = timezone.now()

    def words(row):
        (shown,) = alternatives.regenerations_shown([row_now(row)], checked=False)
        return shown["position"], shown["words"]

    assert words(second) == (1, "Asking the model…")
    Regeneration.objects.filter(pk=second.pk).update(created_at=now - timedelta(seconds=4))
    assert words(second)[1].startswith("No model worker answers. Your request is kept")
    Regeneration.objects.filter(pk=second.pk).update(created_at=now + timedelta(seconds=1))
    taken = services.regeneration_claim()
    assert taken.pk == first.pk
    assert words(first) == (0, "The model reads the steps…")
    services.regeneration_heartbeat(pk=first.pk, token=taken.token, partial=["4 \0+\ufffd", ""])
    assert words(first) == (0, "Writing…")
    assert row_now(first).partial == ["4 +", ""]
    assert words(second) == (1, "The model is busy; 1 request comes before yours.")
    third = ask(claim, 0)
    Regeneration.objects.filter(pk=third.pk).update(created_at=now + timedelta(seconds=2))
    assert words(third) == (2, "The model is busy; 2 requests come before yours.")
    write(taken, "5")
    assert words(second)[1] == "Asking the model…"


def test_batch_work_under_way_is_a_busy_model_and_an_old_lease_is_not(claim, task):
    from webapp.iterations.models import WorkUnit

    row = ask(claim)
    unit = WorkUnit.objects.create(
        project=task.project,
        iteration=task.iteration,
        stage="generate",
        kind="generate",
        queue="model",
        state="running",
        leased_until=timezone.now() + timedelta(seconds=30),
    )
    (shown,) = alternatives.regenerations_shown([row_now(row)], checked=False)
    assert shown["words"] == "The model is busy; yours is next."
    WorkUnit.objects.filter(pk=unit.pk).update(leased_until=timezone.now() - timedelta(seconds=1))
    assert not alternatives.worker_busy(timezone.now())


def test_others_see_them_only_after_their_own_answer(claim, project, task):
    AnnotationTask.objects.filter(pk=task.pk).update(overlap=2, open_slots=1)
    row = written(claim, "5")
    lead, other = make.member_make(project, Role.LEAD), make.member_make(project)
    for allowed in (claim.user, lead):
        assert alternatives.regeneration_for(allowed, row.pk) == row
    theirs = services.assignment_claim(user=other, project=project)
    for refused in (other, make.user_make()):
        with pytest.raises(Regeneration.DoesNotExist):
            alternatives.regeneration_for(refused, row.pk)
    services.annotation_submit(
        user=other,
        assignment_token=theirs.token,
        submit_key=uuid.uuid4(),
        payload={"marks": [1, 1, 1], "verdict": "right"},
    )
    assert alternatives.regeneration_for(other, row.pk) == row


def test_a_rated_branch_is_part_of_the_answer_and_of_the_critique(claim):
    row = written(claim, "4 + 1 = 5\nAnswer: 5", "4 + 1 = 3\nAnswer: 3")
    good, bad = Response.objects.filter(regeneration=row).order_by("created_at")
    branches = [
        {"step": 1, "response": str(good.pk), "mark": 1, "chosen": True},
        {"step": 1, "response": str(bad.pk), "mark": -1, "chosen": False},
    ]
    services.annotation_submit(
        user=claim.user,
        assignment_token=claim.token,
        submit_key=uuid.uuid4(),
        payload={"marks": [1, -1, None], "first_error": 1, "verdict": "wrong", "branches": branches},
    )
    assert Annotation.objects.get().shown["alternatives"] is True
    critique = Critique.objects.get(author_kind=Author.PERSON.value)
    assert critique.branches == branches
    assert [(b.response_id, b.chosen) for b in critique.record().branches] == [
        (str(good.pk), True),
        (str(bad.pk), False),
    ]


def test_the_item_brings_them_along_and_costs_nothing_where_none_were_asked(
    claim, django_assert_num_queries, django_assert_max_num_queries
):
    from webapp.annotate import items, selectors

    fresh = selectors.assignment_for(claim.user, claim.token)
    with django_assert_max_num_queries(10) as without:
        assert items.item_of(fresh)["regenerations"] == []
    written(claim, "5")
    written(claim, "6", step=2)
    again = selectors.assignment_for(claim.user, claim.token)
    with django_assert_num_queries(len(without) + 2):
        found = items.item_of(again)["regenerations"]
    assert [(r["step"], r["state"], len(r["items"])) for r in found] == [(1, "done", 1), (2, "done", 1)]


def test_a_page_hears_of_its_own_request_only(claim):
    import json

    from django.db import connection

    from webapp.events import CHANNEL

    row = ask(claim)
    taken = services.regeneration_claim()
    with connection.cursor() as cursor:
        cursor.execute(f"listen {CHANNEL}")
        services.regeneration_heartbeat(pk=row.pk, token=taken.token, partial=["5"])
        with transaction.atomic():
            cursor.execute("select 1")
        notices = [json.loads(n.payload) for n in connection.connection.notifies(timeout=0.5, stop_after=1)]
        cursor.execute(f"unlisten {CHANNEL}")
    assert notices == [
        {"project": row.project_id, "iteration": None, "what": "regeneration", "topic": str(row.pk)}
    ]
