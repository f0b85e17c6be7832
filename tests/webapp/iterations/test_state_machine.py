"""Whatever people, workers and clocks do in whatever order: no stage is skipped, no move is made twice."""

from datetime import timedelta
from itertools import product

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from loop.stages import NEXT, OPEN, Stage, Status
from tests.webapp.iterations import support
from webapp.iterations.models import Iteration, Transition, WorkUnit
from webapp.iterations.services import (
    IterationError,
    LeaseLost,
    annotation_close,
    annotators_simulate,
    iteration_advance,
    iteration_cancel,
    iteration_pause,
    iteration_resume,
    iteration_retry,
    iteration_tick,
    unit_claim,
    unit_fail,
    unit_release,
    units_sweep,
)
from webapp.iterations.services.machine import IllegalTransition
from webapp.traces.models import Response

TERMINAL = {Status.DONE.value, Status.CANCELLED.value}


class OneIteration(RuleBasedStateMachine):
    """People, two workers, a scheduler and a message queue that repeats itself, against one iteration."""

    def __init__(self):
        super().__init__()
        self.rollback = transaction.atomic()
        self.rollback.__enter__()
        self.held = []  # units some worker believes it holds
        self.ended = None

    @initialize(stage=st.sampled_from(["prepare", "annotate", "curate", "finetune", "evaluate"]))
    def begin(self, stage):
        self.iteration = support.start(
            support.project_with_prompts(3, 2, 1),
            recipe=support.small("rest-em", "annotate.take=2"),
            simulate_annotators=stage not in ("prepare", "annotate"),
        )
        if stage != "prepare":
            support.work_until(self.iteration, stage)

    def teardown(self):
        transaction.set_rollback(True)
        self.rollback.__exit__(None, None, None)

    @property
    def now(self):
        self.iteration.refresh_from_db()
        return self.iteration

    def status_in(self, *statuses):
        return self.now.status in {s.value for s in statuses}

    def try_to(self, change, *allowed):
        """What people do succeeds from these statuses and is refused, without a trace, from all others."""
        before = (self.now.stage, self.now.status)
        if self.status_in(*allowed):
            change(iteration=self.iteration, by=None)
        else:
            with pytest.raises(IterationError):
                change(iteration=self.iteration, by=None)
            assert (self.now.stage, self.now.status) == before

    @rule(times=st.integers(1, 3))
    def tick(self, times):
        for _ in range(times):
            iteration_tick(iteration_id=self.iteration.pk)

    @rule()
    def sweep(self):
        units_sweep()

    @rule(move=st.sampled_from(list(product(Stage, Stage))))
    def late_or_illegal_message(self, move):
        from_, to = move
        if to not in NEXT[from_]:
            with pytest.raises(IllegalTransition):
                iteration_advance(iteration=self.iteration, from_=from_, to=to, because="late")
        elif from_.value != self.now.stage:
            assert not iteration_advance(iteration=self.iteration, from_=from_, to=to, because="late")

    @rule(queue=st.sampled_from(support.QUEUES))
    def claim(self, queue):
        unit = unit_claim(queue=queue)
        if unit is None:
            return
        if unit.kind == "measure":  # of a stage that was left, perhaps of an iteration that has ended
            assert self.status_in(*OPEN, Status.DONE)
        else:
            assert self.status_in(*OPEN)
            assert unit.stage == self.now.stage
        self.held.append(unit)

    @precondition(lambda self: self.held)
    @rule(pick=st.randoms(use_true_random=False), twice=st.booleans())
    def finish(self, pick, twice):
        unit = self.held.pop(pick.randrange(len(self.held)))
        for _ in range(1 + twice):
            row = WorkUnit.objects.get(pk=unit.pk)
            before = Response.objects.count()
            if (row.token, row.state) == (unit.token, "running"):
                support.finish(unit)
            else:
                with pytest.raises(LeaseLost):
                    support.finish(unit)
                assert Response.objects.count() == before

    @rule(times=st.integers(1, 5))
    def work(self, times):
        """Good hours: the scheduler calls, workers answer."""
        for _ in range(times):
            iteration_tick(iteration_id=self.iteration.pk)
            if unit := support.claim_any():
                support.finish(unit)

    @precondition(lambda self: self.held)
    @rule()
    def worker_dies(self):
        """Its lease runs out; it does not know and may still come back as a zombie."""
        past = timezone.now() - timedelta(seconds=1)
        WorkUnit.objects.filter(pk=self.held[-1].pk, state="running").update(leased_until=past)

    @precondition(lambda self: self.held)
    @rule(fails=st.booleans())
    def give_up(self, fails):
        unit = self.held.pop()
        if fails:
            unit_fail(unit_id=unit.pk, token=unit.token, error="RuntimeError: broken")
        else:
            unit_release(unit_id=unit.pk, token=unit.token)

    @rule(really=st.integers(0, 3))
    def pause(self, really):
        if not really:
            self.try_to(iteration_pause, *OPEN)

    @rule()
    def resume(self):
        self.try_to(iteration_resume, Status.PAUSED)

    @rule()
    def retry(self):
        self.try_to(iteration_retry, Status.FAILED)

    @rule(really=st.integers(0, 5))
    def cancel(self, really):
        if not really:  # else most runs would end early
            self.try_to(iteration_cancel, *OPEN, Status.PAUSED, Status.FAILED)

    @precondition(lambda self: self.now.stage == Stage.ANNOTATE.value)
    @rule(by_program=st.booleans())
    def end_annotation(self, by_program):
        asked = self.iteration.units.filter(kind="simulate").exclude(state="done").exists()
        allowed = [] if by_program and asked else [Status.WAITING]
        self.try_to(annotators_simulate if by_program else annotation_close, *allowed)

    @invariant()
    def the_log_is_a_chain_to_where_it_stands(self):
        moves = support.moves(self.now)
        assert len(moves) == len(set(moves))
        assert moves == support.straight_to(self.now.stage) or moves[-1:] == [("curate", "done")]
        assert all(Stage(b) in NEXT[Stage(a)] for a, b in moves)

    @invariant()
    def the_end_is_the_end(self):
        here = (self.now.stage, self.now.status, Transition.objects.count())
        assert self.ended in (None, here)
        if self.now.status in TERMINAL:
            self.ended = here

    @invariant()
    def no_stage_is_left_with_work_undone(self):
        if self.now.status == Status.CANCELLED.value:
            return
        left = [stage for stage, _ in support.moves(self.now)]
        undone = WorkUnit.objects.filter(iteration=self.iteration, stage__in=left).exclude(state="done")
        assert not undone.exclude(kind__in=["simulate", "measure"]).exists()

    @invariant()
    def numbers_are_sane(self):
        assert Iteration.objects.count() == 1
        assert self.now.model_versions.count() <= 1
        assert self.now.dataset_versions.count() <= 1


@pytest.mark.django_db
def test_any_order_of_events(monkeypatch):
    monkeypatch.setattr("webapp.iterations.services.stages.PROMPTS_PER_UNIT", 2)
    run_state_machine_as_test(
        OneIteration,
        settings=settings(
            max_examples=10,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
