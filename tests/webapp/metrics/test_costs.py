"""Ages of rows, the training curve, and what an iteration cost, by hand."""

from datetime import timedelta

import pytest
from django.utils import timezone

from loop.stages import Stage
from tests import factories as make
from tests.webapp.metrics.measuring import measured
from webapp.curate.models import DatasetVersion, Example
from webapp.iterations.models import RunPoint, WorkUnit
from webapp.registry.services import base_register, champion_promote, model_register

pytestmark = pytest.mark.django_db


@pytest.fixture
def iteration():
    project = make.project_make()
    return make.iteration_make(project, champion=base_register(project=project), seed=1)


def test_ages_replay_and_people(iteration):
    project, base = iteration.project, iteration.champion
    versions = [base]
    for n in range(2):
        versions.append(model_register(project=project, parent=versions[-1], adapter_path=str(n)))
        champion_promote(project=project, version=versions[-1])
    later = make.iteration_make(project, champion=versions[-1])

    def example(n, version, **values):
        return Example.objects.create(
            project=project, prompt=make.prompt_make(project), kind="sample", row={}, row_sha=str(n),
            **{"accepted_by": "verifier", "writer": "model", "model_version": version, "iteration": later}
            | values,
        ).pk  # fmt: skip

    ids = [
        example(0, versions[2]),
        example(1, versions[1]),
        example(2, versions[0], iteration=iteration),
        example(3, None, writer="person", accepted_by="people"),
        example(4, None, writer="unknown", accepted_by="people"),
    ]
    later.dataset_version = DatasetVersion.objects.create(
        project=project, number=1, sha256="x", row_count=5, example_ids=ids
    )
    found = measured(later, Stage.CURATE, "Staleness")
    assert (found["row_age"].value, found["row_age"].n) == (1, 3)
    assert found["row_age"].detail == {"ages": {"0": 1, "1": 1, "2": 1, "people": 1, "unknown": 1}}
    assert found["stale_share"].value == pytest.approx(1 / 3)
    assert (found["replay_share"].value, found["people_share"].value) == (0.2, 0.4)
    assert measured(iteration, Stage.CURATE, "Staleness") == {}  # no dataset


def test_the_curves_ends(iteration):
    assert measured(iteration, Stage.FINETUNE, "Training") == {}
    unit = WorkUnit.objects.create(
        project=iteration.project,
        iteration=iteration,
        stage="finetune",
        kind="train",
        queue="train",
        state="done",
    )
    RunPoint.objects.bulk_create(
        RunPoint(
            unit=unit,
            step=i,
            total_steps=20,
            loss=2.0 - 0.05 * i,
            tokens_per_s=100.0 * i,
            extra={"margin": 0.1 * i, "chosen_change": -0.2 * i} if i else {"margin": None},
        )
        for i in range(20)
    )
    found = measured(iteration, Stage.FINETUNE, "Training")
    assert found["train_loss"].value == pytest.approx(2 - 0.05 * 18.5)
    assert found["train_loss_change"].value == pytest.approx(-0.05 * 18)
    assert found["reward_margin"].value == pytest.approx(1.9)  # 19 points: the last tenth is one
    assert found["chosen_logprob_change"].value == pytest.approx(-3.8)
    assert found["tokens_per_second"].value == 950
    assert "mfu" not in found


def unit(iteration, kind, stage, seconds, n=0, **result):
    began = timezone.now()
    return WorkUnit.objects.create(
        project=iteration.project, iteration=iteration, stage=stage, kind=kind, queue="model", state="done",
        ordinal=n, total=50, result=result, started_at=began, finished_at=began + timedelta(seconds=seconds),
    )  # fmt: skip


def test_what_it_cost(iteration):
    assert measured(iteration, Stage.PROMOTE, "Compute") == {}
    unit(iteration, "generate", "generate", 30, tokens=900, failed_prompts=1)
    unit(iteration, "generate", "generate", 30, n=1, tokens=900)
    unit(iteration, "train", "finetune", 60, model="m")
    found = measured(iteration, Stage.PROMOTE, "Compute")
    assert found["tokens_per_accepted"].value is None  # nothing was accepted
    iteration.counts = {"accepted": {"sample": 20, "trajectory": 4}}
    found = measured(iteration, Stage.PROMOTE, "Compute")
    assert (found["tokens_generated"].value, found["tokens_per_accepted"].value) == (1800, 75)
    assert found["machine_seconds"].value == pytest.approx(120)
    assert found["machine_seconds"].detail == {"stages": {"generate": 60.0, "finetune": 60.0}}
    assert found["seconds_per_accepted"].value == pytest.approx(5)


def test_failed_prompts_are_known_once_it_has_sampled(iteration):
    assert measured(iteration, Stage.GENERATE, "Compute") == {}
    unit(iteration, "generate", "generate", 30, failed_prompts=1)
    unit(iteration, "generate", "generate", 30, n=1)
    found = measured(iteration, Stage.GENERATE, "Compute")["failed_prompts"]
    assert (found.value, found.n) == (0.01, 100)
    assert found.ci95[1] == pytest.approx(0.0545, abs=1e-3)
