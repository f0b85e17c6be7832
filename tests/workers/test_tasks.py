"""What a worker does with a claimed unit, whatever happened to the row since."""

import threading

import pytest
from celery.signals import worker_shutdown, worker_shutting_down

from tests.webapp.iterations import support
from webapp.iterations.models import WorkUnit
from webapp.iterations.services import unit_claim, unit_completion
from workers import leaving
from workers.stages import generate
from workers.tasks import look, work

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_unit_taken_over_before_work_began_is_not_finished_in_the_heirs_name(monkeypatch):
    support.start()
    late = unit_claim(queue="model")
    WorkUnit.objects.filter(pk=late.pk).update(leased_until="2020-01-01T00:00:00Z")
    heir = unit_claim(queue="model")

    def finish(unit, lease):
        with unit_completion(unit_id=unit.pk, token=unit.token):
            pass

    monkeypatch.setattr(generate, "run", finish)
    work(late.pk, late.token, late.kind)
    now = WorkUnit.objects.get(pk=late.pk)
    assert (now.state, now.token) == ("running", heir.token)
    work(heir.pk, heir.token, heir.kind)
    now.refresh_from_db()
    assert now.state == "done"


@pytest.fixture
def timers(monkeypatch):
    """The last resort, to be called by hand."""
    made = []

    class Timer(threading.Timer):
        def start(self):
            made.append(self.function)

    monkeypatch.setattr(leaving.threading, "Timer", Timer)
    monkeypatch.setattr(leaving, "_asked", threading.Event())
    return made


def tell_to_end():
    worker_shutting_down.send(sender=None, sig="SIGTERM", how="Warm", exitcode=0)


def row(unit):
    return WorkUnit.objects.values_list("state", "token", "leased_until", "attempt").get(pk=unit.pk)


def test_a_worker_told_to_end_gives_its_unit_back_and_takes_no_other(monkeypatch, timers):
    iteration = support.start()
    done = []

    def until_told(unit, lease):
        lease.count(None)
        tell_to_end()
        assert lease.should_stop
        done.append(unit)
        lease.count(None)
        raise AssertionError("went on")

    monkeypatch.setattr(generate, "run", until_told)
    look("model")
    look("model")
    assert [row(unit) for unit in done] == [("queued", None, None, 0)]
    iteration.refresh_from_db()
    assert iteration.status == "running"
    assert leaving._held == {}


def test_a_stage_that_does_not_stop_has_its_unit_taken_from_it(monkeypatch, timers):
    support.start()

    def deaf(unit, lease):
        tell_to_end()
        tell_to_end()
        (last_resort,) = timers
        thread = threading.Thread(target=last_resort)
        thread.start()
        thread.join()
        with unit_completion(unit_id=unit.pk, token=unit.token):
            raise AssertionError("late results are dropped")

    monkeypatch.setattr(generate, "run", deaf)
    look("model")
    assert row(WorkUnit.objects.get()) == ("queued", None, None, 0)


def test_what_breaks_while_a_worker_ends_does_not_fail_the_iteration(monkeypatch, timers):
    iteration = support.start()

    def breaks(unit, lease):
        tell_to_end()
        raise RuntimeError("cannot schedule new futures after shutdown")

    monkeypatch.setattr(generate, "run", breaks)
    look("model")
    assert row(WorkUnit.objects.get()) == ("queued", None, None, 0)
    iteration.refresh_from_db()
    assert iteration.status == "running"
    worker_shutdown.send(sender=None)  # nothing is held: nothing happens
