"""Work units: leases, fencing tokens, attempts, the sweeper, pause, cancel and retry."""

import time
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from tests.webapp.iterations import support
from webapp import broker
from webapp.iterations.models import RunPoint, WorkUnit
from webapp.iterations.services import (
    LeaseLost,
    Order,
    iteration_cancel,
    iteration_pause,
    iteration_resume,
    iteration_retry,
    iteration_tick,
    points_add,
    unit_claim,
    unit_completion,
    unit_fail,
    unit_heartbeat,
    unit_release,
    units_sweep,
)
from webapp.iterations.services.stages import CONTINUATIONS_PER_UNIT
from webapp.iterations.services.units import MAX_ATTEMPTS, REANNOUNCE_AFTER, units_add
from webapp.traces.models import Response

pytestmark = pytest.mark.django_db
STAGES = "webapp.iterations.services.stages"


@pytest.fixture
def iteration(monkeypatch):
    """Six prompts in three queued units."""
    monkeypatch.setattr(f"{STAGES}.PROMPTS_PER_UNIT", 2)
    iteration = support.start()
    iteration_tick(iteration_id=iteration.pk)
    iteration.refresh_from_db()
    assert iteration.units.count() == 3
    return iteration


@pytest.fixture
def heard(monkeypatch):
    """Every wake-up that is sent."""
    queues = []
    monkeypatch.setattr(broker, "announce", lambda queue: queues.append(str(queue)) or True)
    return queues


def expire(unit):
    WorkUnit.objects.filter(pk=unit.pk).update(leased_until=timezone.now() - timedelta(seconds=1))


def test_units_are_claimed_in_order_each_once(iteration):
    claimed = [unit_claim(queue="model") for _ in range(4)]
    assert claimed[3] is None
    assert [u.ordinal for u in claimed[:3]] == [0, 1, 2]
    assert len({u.token for u in claimed[:3]}) == 3
    assert {(u.state, u.attempt) for u in claimed[:3]} == {("running", 1)}


def test_a_queue_gives_only_its_own_work(iteration):
    assert unit_claim(queue="train") is None
    assert unit_claim(queue="light") is None


def test_a_repeated_plan_adds_nothing(iteration, heard):
    assert units_add(iteration=iteration, kind="generate", queue="model", payloads=[{}] * 9) == 0
    assert iteration.units.count() == 3


def test_a_live_lease_is_kept_and_an_expired_one_taken_over(iteration):
    first = unit_claim(queue="model")
    for _ in range(2):
        unit_claim(queue="model")
    assert unit_claim(queue="model") is None
    expire(first)
    second = unit_claim(queue="model")
    assert (second.pk, second.attempt) == (first.pk, 2)
    assert second.token != first.token


def test_a_heartbeat_extends_the_lease_and_carries_progress(iteration, settings):
    unit = unit_claim(queue="model")
    expire(unit)
    news = {"done": 1, "total": 2, "message": "sampling", "progress": {"tokens_per_s": 9.5}}
    assert unit_heartbeat(unit_id=unit.pk, token=unit.token, **news) is Order.GO_ON
    unit.refresh_from_db()
    left = (unit.leased_until - timezone.now()).total_seconds()
    assert settings.WORK_UNIT_LEASE - 5 < left <= settings.WORK_UNIT_LEASE
    assert {k: getattr(unit, k) for k in news} == news
    assert unit_heartbeat(unit_id=unit.pk, token=unit.token) is Order.GO_ON
    unit.refresh_from_db()
    assert (unit.done, unit.message) == (1, "sampling")  # nothing new takes nothing back


def test_a_late_zombie_writes_nothing(iteration):
    zombie = unit_claim(queue="model")
    expire(zombie)
    heir = unit_claim(queue="model")
    assert heir.pk == zombie.pk
    with pytest.raises(LeaseLost):
        support.finish(zombie)
    assert not Response.objects.exists()
    assert unit_heartbeat(unit_id=zombie.pk, token=zombie.token, done=2) is Order.LOST
    unit_release(unit_id=zombie.pk, token=zombie.token)
    unit_fail(unit_id=zombie.pk, token=zombie.token, error="too late")
    heir.refresh_from_db()
    assert (heir.state, heir.done, heir.error) == ("running", 0, "")
    support.finish(heir)
    assert Response.objects.count() == 4
    with pytest.raises(LeaseLost):  # not even the heir twice
        support.finish(heir)
    assert Response.objects.count() == 4


def test_results_and_completion_are_one_transaction(iteration):
    unit = unit_claim(queue="model")
    with pytest.raises(ZeroDivisionError):
        half_done(unit)
    unit.refresh_from_db()
    assert unit.state == "running"
    assert not Response.objects.exists()


def half_done(unit):
    with unit_completion(unit_id=unit.pk, token=unit.token) as held:
        prompt = held.project.prompts.first()
        support.make.response_make(prompt, iteration=held.iteration)
        raise ZeroDivisionError


def test_a_release_does_not_count_as_an_attempt(iteration):
    for _ in range(MAX_ATTEMPTS * 2):
        unit = unit_claim(queue="model")
        assert (unit.ordinal, unit.attempt) == (0, 1)
        unit_release(unit_id=unit.pk, token=unit.token)


def test_a_unit_that_kills_its_workers_fails_and_the_next_is_handed_out(iteration):
    other = support.start()
    iteration_tick(iteration_id=other.pk)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        unit = unit_claim(queue="model")
        assert (unit.ordinal, unit.attempt) == (0, attempt)
        expire(unit)
    nxt = unit_claim(queue="model")
    assert nxt.iteration_id == other.pk  # the killer's whole iteration rests
    unit.refresh_from_db()
    iteration.refresh_from_db()
    assert (unit.state, iteration.status) == ("failed", "failed")
    assert iteration.problem == (
        f"generate (generate): gave up after {MAX_ATTEMPTS} attempts: each worker that took it died"
    )


def test_retry_keeps_finished_units_and_starts_the_failed_ones_afresh(iteration):
    done, failed = unit_claim(queue="model"), unit_claim(queue="model")
    support.finish(done)
    unit_fail(unit_id=failed.pk, token=failed.token, error="RuntimeError: out of memory")
    iteration.refresh_from_db()
    assert (iteration.status, iteration.problem) == (
        "failed",
        "generate (generate): RuntimeError: out of memory",
    )
    assert unit_claim(queue="model") is None  # what is left rests with its iteration
    before = set(Response.objects.values_list("pk", flat=True))

    iteration_retry(iteration=iteration, by=None)
    states = list(iteration.units.order_by("ordinal").values_list("state", "attempt", "error"))
    assert states == [("done", 1, ""), ("queued", 0, ""), ("queued", 0, "")]
    support.work_until(iteration, "annotate")
    assert before < set(Response.objects.values_list("pk", flat=True))
    assert Response.objects.count() == 12


def test_a_paused_iteration_hands_out_nothing_and_stops_who_works(iteration):
    unit = unit_claim(queue="model")
    iteration_pause(iteration=iteration, by=None)
    assert unit_claim(queue="model") is None
    assert unit_heartbeat(unit_id=unit.pk, token=unit.token) is Order.STOP
    unit_release(unit_id=unit.pk, token=unit.token)
    assert unit_claim(queue="model") is None
    iteration_resume(iteration=iteration, by=None)
    again = unit_claim(queue="model")
    assert (again.pk, again.attempt) == (unit.pk, 1)


def test_who_finishes_during_a_pause_has_not_worked_in_vain(iteration):
    units = [unit_claim(queue="model") for _ in range(3)]
    iteration_pause(iteration=iteration, by=None)
    for unit in units:
        support.finish(unit)
    iteration.refresh_from_db()
    assert (iteration.stage, iteration.status) == ("generate", "paused")
    iteration_resume(iteration=iteration, by=None)
    iteration_tick(iteration_id=iteration.pk)
    iteration.refresh_from_db()
    assert (iteration.stage, iteration.status) == ("annotate", "waiting")


def test_a_cancelled_iteration_drops_what_is_under_way(iteration):
    unit = unit_claim(queue="model")
    iteration_cancel(iteration=iteration, by=None)
    assert unit_heartbeat(unit_id=unit.pk, token=unit.token) is Order.LOST
    with pytest.raises(LeaseLost):
        support.finish(unit)
    assert set(iteration.units.values_list("state", flat=True)) == {"cancelled"}
    assert iteration.finished_at is not None
    assert not Response.objects.exists()


def test_the_challenger_of_a_cancelled_iteration_is_held_and_no_longer_waits():
    iteration = support.start(simulate_annotators=True)
    support.work_until(iteration, "evaluate")
    assert iteration.challenger.status == "challenger"
    iteration_cancel(iteration=iteration, by=None)
    iteration.challenger.refresh_from_db()
    assert iteration.challenger.status == "held"


def test_the_sweeper_calls_again_for_what_waits_too_long_and_for_lost_leases(iteration, heard):
    assert units_sweep() == 0  # just announced
    WorkUnit.objects.update(announced_at=timezone.now() - REANNOUNCE_AFTER - timedelta(seconds=1))
    assert (units_sweep(), heard) == (1, ["model"])
    assert units_sweep() == 0  # not again at once
    unit = unit_claim(queue="model")
    expire(unit)
    assert units_sweep() == 0  # announced a moment ago, while it was queued
    long_ago = timezone.now() - REANNOUNCE_AFTER - timedelta(seconds=1)
    WorkUnit.objects.filter(pk=unit.pk).update(announced_at=long_ago)
    assert (units_sweep(), heard) == (1, ["model", "model"])
    assert units_sweep() == 0  # a lost lease is not called out every second either
    unit_release(unit_id=unit.pk, token=unit.token)
    assert (units_sweep(), heard) == (1, ["model"] * 3)  # given back: wanted at once
    iteration_pause(iteration=iteration, by=None)
    WorkUnit.objects.update(announced_at=None)
    assert units_sweep() == 0


def test_a_broker_that_cannot_be_reached_loses_nothing(monkeypatch, django_capture_on_commit_callbacks):
    monkeypatch.setattr(broker, "announce", lambda queue: False)
    with django_capture_on_commit_callbacks(execute=True):
        iteration = support.start(simulate_annotators=True)
    with django_capture_on_commit_callbacks(execute=True):
        support.work_until(iteration, "done")  # as after the scheduler's next call
    assert support.moves(iteration) == support.straight_to("done")


def test_announcing_over_a_dead_broker_says_so_instead_of_raising(settings, monkeypatch, tmp_path):
    from celery import Celery

    url = f"redis+socket://{tmp_path}/nobody.sock"
    settings.CELERY_BROKER_URL = url
    monkeypatch.setattr(broker, "_app", Celery("test", broker=url, set_as_current=False))
    began = time.monotonic()
    assert broker.announce("model") is False
    assert time.monotonic() - began < 5  # a page waits for it


def test_a_point_of_the_curve_is_replaced_not_doubled(iteration):
    unit = iteration.units.first()
    first = {"step": 1, "total_steps": 3, "loss": 2.0, "seconds": 0.1, "time_left_s": 9.0}
    points_add(unit_id=unit.pk, points=[first, {**first, "step": 2, "mfu": 0.4, "extra": {"margin": 1.0}}])
    points_add(unit_id=unit.pk, points=[first, {**first, "loss": 1.5}])
    assert list(RunPoint.objects.values_list("step", "loss", "mfu", "extra")) == [
        (1, 1.5, None, {}),
        (2, 2.0, 0.4, {"margin": 1.0}),
    ]


def test_a_run_shows_its_last_point_though_no_heartbeat_followed_it(iteration):
    unit = iteration.units.first()
    first = {"step": 1, "total_steps": 2, "loss": 2.0, "seconds": 0.1, "time_left_s": 9.0}
    points_add(unit_id=unit.pk, points=[first, {**first, "step": 2, "loss": 0.5}])
    unit.refresh_from_db()
    assert (unit.done, unit.progress["loss"]) == (2, 0.5)


def test_continuations_are_planned_in_slices_and_curate_waits_for_them(monkeypatch):
    monkeypatch.setattr(f"{STAGES}.CONTINUATIONS_PER_UNIT", 1)
    iteration = support.start(simulate_annotators=True, recipe=support.small("rest-em"))
    support.work_until(iteration, "curate")
    kinds = list(iteration.units.filter(stage="curate").values_list("kind", flat=True))
    assert CONTINUATIONS_PER_UNIT == 64
    assert len(kinds) > 1
    assert set(kinds) == {"continue"}
    for _ in kinds:
        iteration_tick(iteration_id=iteration.pk)
        assert not iteration.units.filter(kind="curate").exists()
        support.finish(unit_claim(queue="model"))
    iteration_tick(iteration_id=iteration.pk)
    assert iteration.units.filter(kind="curate").count() == 1


def test_a_failing_tick_after_the_commit_does_not_call_the_stored_results_in_question(
    iteration, monkeypatch, caplog, django_capture_on_commit_callbacks
):
    def away(**_):
        raise OperationalError("the database went away")

    monkeypatch.setattr("webapp.iterations.services.machine.iteration_tick", away)
    unit = unit_claim(queue="model")
    with django_capture_on_commit_callbacks(execute=True):
        support.finish(unit)  # whoever retries this would be told that the lease is lost
    unit.refresh_from_db()
    assert unit.state == "done"
    assert "the database went away" in caplog.text
