"""Training runs by themselves, and pause, resume, cancel and retry of any run."""

import pytest

from loop.recipe_parts import FinetunePart
from loop.records import Message, RowKind, TrainRow
from tests import factories as make
from tests.webapp.iterations import support
from webapp.curate.models import Example
from webapp.curate.services import dataset_freeze
from webapp.iterations.models import WorkUnit
from webapp.iterations.services import (
    LeaseLost,
    Order,
    RunError,
    iteration_tick,
    preview_start,
    run_cancel,
    run_name,
    run_pause,
    run_register,
    run_resume,
    run_retry,
    run_start,
    unit_claim,
    unit_completion,
    unit_fail,
    unit_heartbeat,
    unit_release,
)
from webapp.projects.models import AuditEvent
from webapp.registry.models import ModelVersion
from webapp.registry.services import base_register, model_register

pytestmark = pytest.mark.django_db
STATE = WorkUnit.State


def dataset_make(project, rows=3, kind=RowKind.SAMPLE):
    from dataclasses import asdict

    prompts = [make.prompt_make(project) for _ in range(rows)]
    examples = [
        Example.objects.create(
            project=project,
            prompt=prompt,
            kind=kind.value,
            row=asdict(TrainRow(kind, str(prompt.pk), (Message("user", prompt.text),), "4")),
            row_sha=f"{prompt.pk:064x}",
            accepted_by="verifier",
        )
        for prompt in prompts
    ]
    return dataset_freeze(project=project, examples=examples)


@pytest.fixture
def project():
    return make.project_make()


@pytest.fixture
def ada(project):
    return make.member_make(project, username="ada")


@pytest.fixture
def run(project, ada):
    return start(project, ada)


def start(project, by=None, **values):
    values = {"finetune": FinetunePart(min_rows=1), "start": None, "seed": 3, **values}
    if "dataset" not in values:
        values["dataset"] = dataset_make(project)
    return run_start(project=project, by=by, **values)


def verbs(project):
    return list(AuditEvent.objects.filter(project=project).order_by("id").values_list("verb", flat=True))


def test_a_run_by_itself_ends_as_a_registered_version(project, ada, run):
    unit = unit_claim(queue="train")
    assert (unit.pk, run_name(unit), unit.iteration) == (run.pk, f"{project.slug}-run-1", None)
    with unit_completion(unit_id=unit.pk, token=unit.token) as held:
        version = run_register(
            unit=held,
            adapter_path="abc",
            adapter_sha="abc",
            hashes={"base_sha": "b" * 64},
            training={"steps": 4},
        )
    base = project.model_versions.get(number=1)
    assert (version.status, version.role, version.parent, version.iteration) == (
        "registered",
        "policy",
        base,
        None,
    )
    assert version.dataset_version_id == run.payload["dataset_id"]
    assert version.training == {"steps": 4}
    project.refresh_from_db()
    assert project.champion == base  # nothing was promoted
    assert verbs(project) == ["run started", "run finished"]
    assert run_name(start(project, ada)) == f"{project.slug}-run-2"


def test_a_run_goes_on_from_the_version_it_was_given(project, ada):
    base_register(project=project)
    earlier = model_register(project=project, adapter_path="x", adapter_sha="x")
    start(project, ada, start=earlier)
    unit = unit_claim(queue="train")
    with unit_completion(unit_id=unit.pk, token=unit.token) as held:
        version = run_register(unit=held, adapter_path="y", adapter_sha="y", hashes={}, training={})
    assert version.parent == earlier


def test_a_failed_run_by_itself_can_be_retried(project, ada, run):
    with pytest.raises(RunError, match="is queued; only a failed or cancelled run"):
        run_retry(unit=run, by=ada)
    unit = unit_claim(queue="train")
    unit_fail(unit_id=unit.pk, token=unit.token, error="no room")
    run.refresh_from_db()
    assert (run.state, run.error) == (STATE.FAILED, "no room")
    run_retry(unit=run, by=ada)
    again = unit_claim(queue="train")
    assert (again.pk, again.error, again.attempt) == (run.pk, "", 1)
    assert verbs(project) == ["run started", "run retried"]


def test_a_paused_run_is_given_back_and_nobody_takes_it(project, ada, run):
    unit = unit_claim(queue="train")
    assert unit_heartbeat(unit_id=unit.pk, token=unit.token) is Order.GO_ON
    run_pause(unit=run, by=ada)
    assert unit_heartbeat(unit_id=unit.pk, token=unit.token) is Order.STOP
    unit_release(unit_id=unit.pk, token=unit.token)
    assert unit_claim(queue="train") is None
    with pytest.raises(RunError, match="is paused; only a waiting or running run can be paused"):
        run_pause(unit=run, by=ada)
    run_resume(unit=run, by=ada)
    assert unit_claim(queue="train").pk == run.pk
    with pytest.raises(RunError, match="is running; only a paused run can be resumed"):
        run_resume(unit=run, by=ada)
    assert verbs(project) == ["run started", "run paused", "run resumed"]


def test_a_cancelled_run_is_lost_to_whoever_trains_it_and_writes_nothing(project, ada, run):
    unit = unit_claim(queue="train")
    run_cancel(unit=run, by=ada)
    assert unit_heartbeat(unit_id=unit.pk, token=unit.token) is Order.LOST
    with pytest.raises(LeaseLost), unit_completion(unit_id=unit.pk, token=unit.token):
        raise AssertionError("not reached")
    run.refresh_from_db()
    assert (run.state, run.error) == (STATE.CANCELLED, "the run was cancelled by ada")
    with pytest.raises(RunError, match="nothing to cancel"):
        run_cancel(unit=run, by=ada)
    run_retry(unit=run, by=ada)
    assert unit_claim(queue="train").pk == run.pk


def test_a_run_of_an_iteration_is_held_alone_and_cancelled_with_a_reason(ada):
    iteration = support.work_until(support.start(simulate_annotators=True), "finetune")
    unit = iteration.units.get(kind="train")
    assert run_name(unit) == f"{iteration.project.slug}-1"
    run_pause(unit=unit, by=ada)
    iteration.refresh_from_db()
    assert iteration.status == "running"
    assert unit_claim(queue="train") is None
    run_resume(unit=unit, by=ada)
    run_cancel(unit=unit, by=ada)
    iteration.refresh_from_db()
    assert (iteration.status, iteration.problem) == (
        "failed",
        "finetune (train): the run was cancelled by ada",
    )
    run_retry(unit=unit, by=ada)
    support.work_until(iteration, "evaluate")
    iteration_tick(iteration_id=iteration.pk)
    assert iteration.problem == ""


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"finetune": FinetunePart(min_rows=9)}, "has 3 rows, and finetune.min_rows asks for 9"),
        ({"finetune": FinetunePart(objective="dpo", min_rows=1)}, "dpo cannot train rows of sample"),
        ({"start": "foreign"}, "belongs to another project"),
        ({"start": "scorer"}, "is a scorer"),
        ({"start": "empty"}, "were removed"),
        ({"start": "other base"}, "is an adapter of another"),
        ({"dataset": "foreign"}, "dataset 1 belongs to another project"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_a_sentence(project, values, sentence):
    from django.utils import timezone

    other = make.project_make()
    made = {
        "foreign": lambda: model_register(project=other),
        "scorer": lambda: model_register(project=project, role=ModelVersion.Role.REWARD),
        "empty": lambda: ModelVersion(
            project=project, name="v9", base=project.base, weights_removed_at=timezone.now()
        ),
        "other base": lambda: ModelVersion(project=project, name="v9", base="another"),
    }
    if "start" in values:
        values = {"start": made[values["start"]]()}
    if "dataset" in values:
        values = {"dataset": dataset_make(other)}
    with pytest.raises(RunError, match=sentence):
        start(project, **values)
    assert not WorkUnit.objects.exists()


def test_a_preview_is_asked_of_a_model_worker(project, ada):
    unit = preview_start(
        project=project, dataset=dataset_make(project), finetune=FinetunePart(min_rows=99), by=ada
    )
    assert (unit.kind, unit.queue, unit.asked_by) == ("preview", "model", ada)
    with pytest.raises(RunError, match="dpo cannot train"):
        preview_start(
            project=project,
            dataset=dataset_make(project),
            finetune=FinetunePart(objective="dpo"),
            by=ada,
        )
