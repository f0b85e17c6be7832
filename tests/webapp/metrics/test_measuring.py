"""Measuring a stage: leased work that may be done twice, fail or come too late, and never stops the loop."""

import math
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from loop.evaluate.metric import Value
from loop.stages import Stage
from tests import factories as make
from tests.webapp.iterations import support
from tests.webapp.metrics import fake
from webapp.iterations.models import Iteration, WorkUnit
from webapp.iterations.services import (
    iteration_advance,
    iteration_cancel,
    iteration_pause,
    iteration_retry,
    unit_claim,
    unit_completion,
    unit_fail,
    unit_release,
)
from webapp.iterations.services.measures import measuring_plan
from webapp.iterations.services.stages import due
from webapp.iterations.services.units import MAX_ATTEMPTS
from webapp.metrics.models import MetricValue
from webapp.metrics.services import stage_measure
from workers.tasks import work

pytestmark = pytest.mark.django_db


def planned(stage: Stage = Stage.GENERATE, **values: object) -> WorkUnit:
    iteration = make.iteration_make(make.project_make(), **values)
    measuring_plan(iteration=iteration, stage=stage)
    return iteration.units.get()


def expire(unit):
    WorkUnit.objects.filter(pk=unit.pk).update(leased_until=timezone.now() - timedelta(seconds=1))


def claimed():
    return unit_claim(queue="light")


def one(iteration):
    yield Value("one", 0.5, (0.25, 0.75), 8, {"k": 2})


def done(unit):
    with unit_completion(unit_id=unit.pk, token=unit.token):
        pass


def written():
    return list(MetricValue.objects.order_by("name").values_list("name", "value", "low", "high", "n"))


def test_every_stage_that_is_left_is_planned_once():
    iteration = support.start()
    iteration_advance(iteration=iteration, from_=Stage.PREPARE, to=Stage.GENERATE, because="due")
    iteration_advance(iteration=iteration, from_=Stage.GENERATE, to=Stage.ANNOTATE, because="due")
    measuring_plan(iteration=iteration, stage=Stage.GENERATE)
    units = iteration.units.filter(kind="measure")
    assert list(units.values_list("stage", "queue", "state")) == [("generate", "light", "queued")]


def test_a_worker_killed_while_measuring_leaves_the_same_rows_as_one_that_was_not():
    unit = planned()
    with fake.groups(fake.group("a", fake.metric("one"), generate=one)):
        killed = claimed()
        stage_measure(iteration=unit.iteration, stage=Stage.GENERATE)  # it wrote, and died before it said so
        expire(killed)
        fake.run(claimed())
    unit.refresh_from_db()
    assert (unit.state, unit.attempt, unit.result["values"]) == ("done", 2, 1)
    assert written() == [("one", 0.5, 0.25, 0.75, 8)]


def test_a_late_zombie_does_not_finish_the_unit_of_its_heir():
    unit = planned()
    with fake.groups():
        zombie = claimed()
        expire(zombie)
        heir = claimed()
        work(zombie.pk, zombie.token, zombie.kind)
        unit.refresh_from_db()
        assert (unit.state, unit.token) == ("running", heir.token)
        fake.run(heir)
    unit.refresh_from_db()
    assert unit.state == "done"


def test_a_group_that_cannot_be_measured_is_left_out_whole_and_named():
    def half(iteration):
        yield Value("two", 1.0)
        raise ValueError("no samples")

    unit = planned()
    bad = fake.group("bad", fake.metric("two"), generate=half)
    with fake.groups(bad, fake.group("good", fake.metric("one"), generate=one)):
        fake.run(claimed())
    unit.refresh_from_db()
    assert [name for name, *_ in written()] == ["one"]
    assert (list(unit.result["groups"]), unit.result["failed"]) == (["good"], ["bad"])


def test_a_value_that_nobody_declares_fails_its_group():
    with fake.groups(fake.group("a", fake.metric("two"), generate=one)):
        assert stage_measure(iteration=planned().iteration, stage=Stage.GENERATE).failed == ("a",)


def test_a_database_that_is_away_is_not_the_figures_fault():
    def away(iteration):
        raise OperationalError("the connection is lost")

    unit = planned()
    with (
        fake.groups(fake.group("a", fake.metric("one"), generate=away)),
        pytest.raises(OperationalError),
    ):
        fake.run(claimed())
    unit.refresh_from_db()
    assert unit.state == "running"  # until the lease runs out


def test_what_is_not_a_number_is_stored_as_nothing():
    def undefined(iteration):
        yield Value("one", math.nan, (math.inf, 0.5))

    with fake.groups(fake.group("a", fake.metric("one"), generate=undefined)):
        stage_measure(iteration=planned().iteration, stage=Stage.GENERATE)
    assert written() == [("one", None, None, 0.5, 0)]


def test_a_repeat_replaces_values_and_only_those_asked_for():
    iteration = planned().iteration
    with fake.groups(fake.group("a", fake.metric("one"), generate=one)):
        stage_measure(iteration=iteration, stage=Stage.GENERATE)
    again = fake.group("a", fake.metric("one"), generate=lambda _: [Value("one", 0.75)])
    other = fake.group("b", fake.metric("two"), generate=lambda _: [Value("two", 1.0)])
    with fake.groups(again, other):
        stage_measure(iteration=iteration, stage=Stage.GENERATE, only=["a"])
    assert written() == [("one", 0.75, None, None, 0)]


def test_a_repeat_takes_back_what_its_group_no_longer_says_of_the_stage():
    iteration = planned().iteration
    some, later = fake.metric("one:*"), fake.metric("later")
    said = [Value("one:a", 0.25), Value("one:b", 0.5)]
    both = fake.group("a", some, later, generate=lambda _: said, promote=lambda _: [Value("later", 1.0)])
    other = fake.group("b", fake.metric("two"), generate=lambda _: [Value("two", 1.0)])
    with fake.groups(both, other):
        for stage in (Stage.GENERATE, Stage.PROMOTE):
            stage_measure(iteration=iteration, stage=stage)
        said.pop()
        stage_measure(iteration=iteration, stage=Stage.GENERATE, only=["a"])
    assert [name for name, *_ in written()] == ["later", "one:a", "two"]


@pytest.mark.parametrize("status", ["done", "failed"])
def test_an_iteration_that_ended_is_measured_after_all_other_work_and_trackers_are_told_last(status):
    project = make.project_make()
    last = WorkUnit.objects.create(project=project, kind="track", stage="done", queue="light")
    late = planned(status=status)
    urgent = planned(status="running")
    assert [claimed().pk, claimed().pk, claimed().pk] == [urgent.pk, late.pk, last.pk]
    assert claimed() is None


def test_an_iteration_that_ends_while_it_is_measured_is_measured():
    unit = planned()
    with fake.groups(fake.group("a", fake.metric("one"), generate=one)):
        held = claimed()
        Iteration.objects.update(status="done", stage="done")
        fake.run(held)
    unit.refresh_from_db()
    assert unit.state == "done"


def test_a_pause_rests_it_and_a_cancellation_ends_it():
    unit = planned()
    iteration_pause(iteration=unit.iteration, by=None)
    assert claimed() is None
    iteration_cancel(iteration=unit.iteration, by=None)
    assert claimed() is None
    unit.refresh_from_db()
    assert unit.state == "cancelled"


def test_measuring_stops_between_groups_when_told_to():
    class Told(Exception):
        pass

    asked = []

    def between():
        asked.append(1)
        if len(asked) == 2:
            raise Told

    unit = planned()
    twice = [fake.group(n, fake.metric("one"), generate=one) for n in ("a", "b")]
    with fake.groups(*twice), pytest.raises(Told):
        stage_measure(iteration=unit.iteration, stage=Stage.GENERATE, between=between)
    assert len(written()) == 1
    held = claimed()
    unit_release(unit_id=held.pk, token=held.token)
    assert claimed().attempt == 1


def test_a_figure_that_kills_every_worker_does_not_stop_the_loop():
    unit = planned()
    WorkUnit.objects.update(attempt=MAX_ATTEMPTS)
    assert claimed() is None
    unit.refresh_from_db()
    unit.iteration.refresh_from_db()
    assert (unit.state, unit.iteration.status) == ("failed", "waiting")


def test_the_gate_waits_for_its_measuring_and_a_failure_of_it_can_be_retried():
    iteration = support.start()
    Iteration.objects.filter(pk=iteration.pk).update(stage="evaluate", status="running")
    iteration.refresh_from_db()
    assert due(iteration) is None
    assert due(iteration) is None  # planned once
    held = claimed()
    unit_fail(unit_id=held.pk, token=held.token, error="no memory")
    iteration.refresh_from_db()
    assert (iteration.status, iteration.problem) == ("failed", "evaluate (measure): no memory")
    iteration_retry(iteration=iteration, by=None)
    iteration.refresh_from_db()
    assert due(iteration) is None
    done(claimed())
    assert due(iteration)[0] is Stage.PROMOTE


def test_the_gate_waits_for_what_alarms_read_of_earlier_stages_too():
    iteration = support.start()
    Iteration.objects.filter(pk=iteration.pk).update(stage="evaluate", status="running")
    iteration.refresh_from_db()
    measuring_plan(iteration=iteration, stage=Stage.CURATE)
    slow = claimed()
    assert due(iteration) is None
    done(claimed())
    assert due(iteration) is None
    unit_fail(unit_id=slow.pk, token=slow.token, error="no memory")  # but a figure stops nothing
    assert due(iteration)[0] is Stage.PROMOTE


def test_the_page_shows_measuring_under_its_stage(client):
    iteration = make.iteration_make(make.project_make(), stage="evaluate", status="running")
    measuring_plan(iteration=iteration, stage=Stage.EVALUATE)
    project = iteration.project
    client.force_login(make.member_make(project))
    page = client.get(f"/projects/{project.slug}/iterations/{iteration.number}/").content.decode()
    assert "Measure" in page
