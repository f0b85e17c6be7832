"""Every pair of stages: the table's moves happen exactly once, all others are refused."""

from itertools import product

import pytest

from loop.stages import NEXT, OPEN, Stage, Status
from tests.webapp.iterations import support
from webapp.annotate.services import tasks_create
from webapp.iterations.models import Iteration, Transition
from webapp.iterations.page import actions_of
from webapp.iterations.services import (
    IterationError,
    annotation_close,
    annotators_simulate,
    iteration_advance,
    iteration_cancel,
    iteration_pause,
    iteration_resume,
    iteration_retry,
    iteration_start,
    iteration_tick,
    open_iterations_tick,
)
from webapp.iterations.services import stages as stage_plans
from webapp.iterations.services.machine import IllegalTransition
from webapp.projects.models import AuditEvent

pytestmark = pytest.mark.django_db
ALLOWED = [(a, b) for a in Stage for b in sorted(NEXT[a])]


@pytest.fixture
def no_plans(monkeypatch):
    monkeypatch.setattr(stage_plans, "enter", lambda iteration: None)


def at(stage, status=Status.RUNNING):
    iteration = support.make.iteration_make(
        support.make.project_make(), stage=stage.value, status=status.value
    )
    return Iteration.objects.get(pk=iteration.pk)


@pytest.mark.parametrize(("from_", "to"), ALLOWED)
def test_a_move_of_the_table_happens_once(no_plans, from_, to):
    iteration = at(from_)
    assert iteration_advance(iteration=iteration, from_=from_, to=to, because="due")
    assert not iteration_advance(iteration=iteration, from_=from_, to=to, because="again")
    iteration.refresh_from_db()
    assert (iteration.stage, support.moves(iteration)) == (to.value, [(from_.value, to.value)])
    assert iteration.status == (Status.DONE if to is Stage.DONE else Status.RUNNING)
    assert (iteration.finished_at is not None) == (to is Stage.DONE)


@pytest.mark.parametrize(("from_", "to"), [p for p in product(Stage, Stage) if p not in ALLOWED])
def test_any_other_move_is_illegal(from_, to):
    iteration = at(from_)
    with pytest.raises(IllegalTransition):
        iteration_advance(iteration=iteration, from_=from_, to=to, because="no")
    assert not Transition.objects.exists()


@pytest.mark.parametrize("status", [s for s in Status if s not in OPEN])
def test_nothing_moves_an_iteration_that_is_not_open(no_plans, status):
    iteration = at(Stage.GENERATE, status)
    assert not iteration_advance(iteration=iteration, from_=Stage.GENERATE, to=Stage.ANNOTATE, because="late")
    assert iteration_tick(iteration_id=iteration.pk) == 0
    assert not Transition.objects.exists()


@pytest.mark.parametrize(
    ("change", "works_from"),
    [
        (iteration_pause, {Status.RUNNING, Status.WAITING}),
        (iteration_resume, {Status.PAUSED}),
        (iteration_cancel, {Status.RUNNING, Status.WAITING, Status.PAUSED, Status.FAILED}),
        (iteration_retry, {Status.FAILED}),
        (annotation_close, {Status.WAITING}),
        (annotators_simulate, {Status.WAITING}),
    ],
)
@pytest.mark.parametrize("status", list(Status))
def test_what_people_may_do_in_each_status(change, works_from, status):
    iteration = at(Stage.ANNOTATE, status)
    if status in works_from:
        change(iteration=iteration, by=None)
        assert AuditEvent.objects.filter(project=iteration.project).count() == 1
    else:
        with pytest.raises(IterationError):
            change(iteration=iteration, by=None)
        iteration.refresh_from_db()
        assert iteration.status == status
        assert not AuditEvent.objects.exists()


def test_simulated_annotators_are_asked_once_at_a_time_and_again_for_what_is_left():
    iteration = at(Stage.ANNOTATE, Status.WAITING)
    prompt = support.make.prompt_make(iteration.project, meta={"domain": "arithmetic"})
    response = support.make.response_make(prompt, iteration=iteration)
    tasks_create(iteration=iteration, kind="step_critique", items=[(prompt.pk, response.pk, 0.0)])
    annotators_simulate(iteration=iteration, by=None)
    assert "simulate" not in actions_of(iteration)
    with pytest.raises(IterationError, match=r"at work on .* already"):
        annotators_simulate(iteration=iteration, by=None)
    iteration.units.update(state="done")
    assert "simulate" in actions_of(iteration)
    annotators_simulate(iteration=iteration, by=None)
    assert list(iteration.units.order_by("pk").values_list("ordinal", "state")) == [
        (0, "done"),
        (1, "queued"),
    ]
    assert AuditEvent.objects.filter(verb="simulated annotators asked").count() == 2


def test_the_whole_way_is_straight_and_reads_the_same_for_every_iteration():
    iteration = support.start(simulate_annotators=True)
    support.work_until(iteration, "done")
    assert support.moves(iteration) == support.straight_to("done")
    assert all(Transition.objects.values_list("because", flat=True))


def test_too_few_examples_end_the_iteration_without_training():
    iteration = support.start(recipe=support.small("rest-em", "finetune.min_rows=500"))
    iteration_tick(iteration_id=iteration.pk)
    support.finish(support.claim_any())
    iteration_tick(iteration_id=iteration.pk)
    iteration.refresh_from_db()
    annotation_close(iteration=iteration, by=None)
    support.work_until(iteration, "done")
    assert support.moves(iteration)[-1] == ("curate", "done")
    assert iteration.challenger is None
    assert "fewer than the 500" in Transition.objects.get(to_stage="done").because


def test_a_recipe_without_people_passes_through_annotate():
    iteration = support.start(recipe=support.small("rest-em", "annotate.kind=none"))
    support.work_until(iteration, "done")
    assert support.moves(iteration) == support.straight_to("done")


def test_a_second_iteration_is_refused_while_one_is_open():
    first = support.start()
    for change in (lambda: None, lambda: iteration_pause(iteration=first, by=None)):
        change()
        with pytest.raises(IterationError, match="still open"):
            support.start(first.project)
    iteration_cancel(iteration=first, by=None)
    assert support.start(first.project).number == 2


@pytest.mark.parametrize(
    ("recipe", "prompts", "why"),
    [("rest-em", (0, 4, 0), "no train prompts")],
)
def test_an_iteration_that_has_nothing_to_work_on_is_refused(recipe, prompts, why):
    project = support.project_with_prompts(*prompts)
    with pytest.raises(IterationError, match=why):
        iteration_start(project=project, recipe=support.small(recipe))
    assert not Iteration.objects.exists()


def test_an_iteration_that_cannot_move_fails_alone_and_can_be_retried():
    broken, sound = support.start(), support.start()
    recipe = broken.recipe
    Iteration.objects.filter(pk=broken.pk).update(recipe={"name": "rest-em"})
    assert open_iterations_tick() == 1  # the sound one, though the broken one came first
    broken.refresh_from_db()
    sound.refresh_from_db()
    assert (broken.status, sound.stage) == ("failed", "generate")
    assert broken.problem.startswith("prepare: RecipeError: ")
    assert not Transition.objects.filter(iteration=broken).exists()

    Iteration.objects.filter(pk=broken.pk).update(recipe=recipe)
    iteration_retry(iteration=broken, by=None)
    assert iteration_tick(iteration_id=broken.pk) == 1
    broken.refresh_from_db()
    assert (broken.stage, broken.status, broken.problem) == ("generate", "running", "")


def test_a_failed_iteration_is_not_taken_up_beside_a_new_one():
    failed = at(Stage.GENERATE, Status.FAILED)
    newer = support.start(support.project_with_prompts())
    Iteration.objects.filter(pk=newer.pk).update(project=failed.project, number=2)
    with pytest.raises(IterationError, match="Iteration 2 is still open"):
        iteration_retry(iteration=failed, by=None)
    iteration_cancel(iteration=newer, by=None)
    iteration_retry(iteration=failed, by=None)


def test_a_recipe_that_needs_a_checker_does_not_start_without_one():
    project = support.project_with_prompts()
    project.prompts.update(verifier="")
    with pytest.raises(IterationError, match=r"no train prompt of .* names one"):
        support.start(project)
    support.start(project, support.small("lmsi"))


def test_only_recipes_that_train_on_continuations_pay_for_them():
    iteration = support.start(recipe=support.small("lmsi"), simulate_annotators=True)
    support.work_until(iteration, "curate")
    assert not iteration.units.filter(kind="continue").exists()
