"""What the busiest calls cost: a constant number of queries, whatever the size."""

import pytest

from tests.webapp.iterations import support
from webapp.iterations.models import WorkUnit
from webapp.iterations.selectors import unit_for_work
from webapp.iterations.services import iteration_tick, unit_claim, unit_heartbeat, units_sweep

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[6, 1], ids=["one unit", "six units"])
def iteration(request, monkeypatch):
    monkeypatch.setattr("webapp.iterations.services.stages.PROMPTS_PER_UNIT", request.param)
    iteration = support.start()
    iteration_tick(iteration_id=iteration.pk)
    return iteration


def test_claim(iteration, django_assert_num_queries):
    with django_assert_num_queries(4):  # savepoint, select, update, release
        unit_claim(queue="model")
    with django_assert_num_queries(3):
        unit_claim(queue="train")


def test_heartbeat(iteration, django_assert_num_queries):
    unit = unit_claim(queue="model")
    with django_assert_num_queries(2):  # update, status
        unit_heartbeat(unit_id=unit.pk, token=unit.token)
    with django_assert_num_queries(3):  # and the notice to open pages
        unit_heartbeat(unit_id=unit.pk, token=unit.token, done=1)


def test_a_tick_with_nothing_due(iteration, django_assert_num_queries):
    with django_assert_num_queries(4):  # savepoint, the locked row, its units, release
        assert iteration_tick(iteration_id=iteration.pk) == 0


def test_sweep(iteration, django_assert_num_queries):
    with django_assert_num_queries(1):
        units_sweep()
    WorkUnit.objects.update(announced_at=None)
    with django_assert_num_queries(2):
        units_sweep()


def test_all_that_an_executor_reads(iteration, django_assert_num_queries):
    unit = unit_claim(queue="model")
    with django_assert_num_queries(1):
        found = unit_for_work(unit.pk)
        assert found.iteration.champion.name
        assert found.iteration.project.slug
