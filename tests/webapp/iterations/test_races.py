"""The same thing done at the same moment by several: real threads, real connections, one winner."""

from collections import Counter
from threading import Barrier

import pytest
from django.db import transaction

from tests import factories as make
from tests.webapp.iterations import support
from webapp.iterations.models import Iteration, Transition, WorkUnit
from webapp.iterations.services import (
    IterationError,
    LeaseLost,
    iteration_cancel,
    iteration_pause,
    iteration_tick,
    open_iterations_tick,
    unit_claim,
)
from webapp.registry import services as registry
from webapp.registry.models import ModelVersion
from webapp.traces.models import Response

pytestmark = pytest.mark.django_db(transaction=True)


def test_many_ticks_make_each_move_once():
    iteration = support.start(simulate_annotators=True)
    for _ in range(30):
        support.together([open_iterations_tick] * 4)
        iteration.refresh_from_db()
        if iteration.status == "done":
            break
        while unit := support.claim_any():
            support.finish(unit)
    assert support.moves(iteration) == support.straight_to("done")
    kinds = Counter(iteration.units.values_list("kind", "ordinal"))
    assert set(kinds.values()) == {1}
    assert iteration.tasks.count() == 4


def test_two_workers_never_get_the_same_unit(monkeypatch):
    monkeypatch.setattr("webapp.iterations.services.stages.PROMPTS_PER_UNIT", 1)
    support.start()
    claimed = support.together([lambda: unit_claim(queue="model")] * 8)
    got = [u.pk for u in claimed if u]
    assert len(got) == len(set(got)) == 6
    assert set(WorkUnit.objects.values_list("attempt", flat=True)) == {1}


def test_a_zombie_and_its_heir_finish_together_and_one_counts():
    support.start()
    zombie = unit_claim(queue="model")
    WorkUnit.objects.update(leased_until="2020-01-01T00:00:00Z")
    heir = unit_claim(queue="model")

    def attempt(unit):
        try:
            support.finish(unit)
        except LeaseLost:
            return False
        return True

    assert support.together([lambda: attempt(zombie), lambda: attempt(heir)]) == [False, True]
    assert Response.objects.count() == 12


def test_one_message_doubled_is_finished_once():
    support.start()
    unit = unit_claim(queue="model")

    def attempt():
        try:
            support.finish(unit)
        except LeaseLost:
            return False
        return True

    assert sorted(support.together([attempt] * 3)) == [False, False, True]
    assert Response.objects.count() == 12
    assert support.moves(Iteration.objects.get()) == support.straight_to("annotate")


def test_two_starts_give_one_iteration():
    project = support.project_with_prompts()

    def attempt():
        try:
            return support.start(project).number
        except IterationError:
            return None

    assert sorted(support.together([attempt] * 4), key=str) == [1, None, None, None]
    assert ModelVersion.objects.count() == 1
    assert Transition.objects.count() == 1  # started means under way: prepare is left at once


@pytest.mark.parametrize("change", [iteration_cancel, iteration_pause])
def test_steering_while_units_complete_never_deadlocks(monkeypatch, change):
    monkeypatch.setattr("webapp.iterations.services.stages.PROMPTS_PER_UNIT", 1)
    iteration = support.start()
    units = [unit_claim(queue="model") for _ in range(6)]

    def finish(unit):
        try:
            with transaction.atomic():
                support.finish(unit)
                # As curation and training do: the unit's row first, then its iteration's.
                Iteration.objects.filter(pk=iteration.pk).update(counts={"unit": unit.pk})
        except LeaseLost:
            return False
        return True

    jobs = [lambda u=u: finish(u) for u in units]
    support.together([*jobs, lambda: change(iteration=iteration, by=None)])
    # Where the last unit came before the change, the stage was left and its measuring planned.
    states = Counter(iteration.units.exclude(kind="measure").values_list("state", flat=True))
    iteration.refresh_from_db()
    assert sum(states.values()) == 6
    assert Response.objects.count() == 2 * states["done"]
    assert iteration.status == {iteration_cancel: "cancelled", iteration_pause: "paused"}[change]
    assert iteration_tick(iteration_id=iteration.pk) == 0


def test_two_workers_close_one_evaluation_without_waiting_for_each_other():
    version = registry.base_register(project=make.project_make())
    prompts = [make.prompt_make(version.project, split="heldout").pk for _ in range(2)]
    made = registry.evaluation_for(version=version, split="heldout", sha="x", sampling={}, size=2)
    both_stored = Barrier(2, timeout=10)

    def work(prompt):
        with transaction.atomic():
            registry.outcomes_store(evaluation=made, outcomes=[(prompt, "right", None)])
            both_stored.wait()
            return registry.evaluation_finish_if_complete(evaluation=made)

    assert sorted(support.together([lambda p=p: work(p) for p in prompts])) == [False, True]
    made.refresh_from_db()
    assert (made.done, made.n) == (True, 2)
