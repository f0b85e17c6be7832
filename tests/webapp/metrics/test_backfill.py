"""Measuring anew: what is due, here or by the workers, as often as one likes."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from loop.evaluate.metric import Value
from tests import factories as make
from tests.stories import finished
from tests.webapp.metrics import fake
from webapp.iterations.models import WorkUnit
from webapp.iterations.services import unit_claim
from webapp.metrics.models import MetricValue
from webapp.metrics.services import backfill_due

pytestmark = pytest.mark.django_db


def says(name, value=0.5):
    return lambda _: [Value(name, value)]


A = fake.group("a", fake.metric("one"), generate=says("one"), curate=says("one"))
B = fake.group("b", fake.metric("two"), promote=says("two"))
SILENT = fake.group("silent", fake.metric("three"), generate=lambda _: [])


@pytest.fixture
def iteration():
    return finished(make.project_make(), None)


def backfill(*words):
    out, err = StringIO(), StringIO()
    call_command("metrics_backfill", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def due(**chosen):
    return [(d.stage.value, d.groups) for d in backfill_due(**chosen)]


def test_every_stage_that_was_left_is_measured_and_a_repeat_writes_the_same_rows(iteration):
    with fake.groups(A, B):
        said, lines = backfill()
        backfill()
    assert said == "3 values of 1 iterations\n"
    assert [line.split(":")[0].rpartition(" ")[2] for line in lines.splitlines()] == [
        "generate", "curate", "promote",
    ]  # fmt: skip
    assert MetricValue.objects.count() == 2


def test_a_running_iteration_has_its_past_stages_measured():
    running = make.iteration_make(make.project_make())
    running.transitions.create(from_stage="prepare", to_stage="generate", because="due")
    running.transitions.create(from_stage="generate", to_stage="annotate", because="due")
    with fake.groups(A, B):
        assert due() == [("generate", ("a",))]


def test_missing_is_what_was_never_measured_failed_or_has_other_formulas(iteration):
    def broken(_):
        raise ValueError("no")

    with fake.groups(A, SILENT, fake.group("b", fake.metric("two"), promote=broken)):
        with pytest.raises(CommandError, match=r"1 not measured, .*promote: b") as failure:
            backfill()
        assert failure.value.returncode == 1
        assert due(missing=True) == [("promote", ("b",))]  # the silent one had nothing to say
    with fake.groups(A, B):
        backfill("--missing")
        assert backfill("--missing")[0] == "nothing to measure\n"
    newer = fake.group("a", fake.metric("one", version=2), generate=says("one"), curate=says("one", 0.75))
    with fake.groups(newer, B):
        assert due(missing=True) == [("generate", ("a",)), ("curate", ("a",))]
        backfill("--missing")
    assert MetricValue.objects.filter(value=0.75, version=2).exists()


def test_what_workers_are_left_comes_after_other_work_and_keeps_what_else_was_measured(iteration):
    with fake.groups(A, B):
        backfill("--group", "a")
        units = WorkUnit.objects.filter(kind="measure")
        assert set(units.values_list("stage", "state")) == {("generate", "done"), ("curate", "done")}
        assert backfill("--queue", "--group", "a", "b")[0] == "queued 3 for the light workers\n"
        assert backfill("--queue")[0] == "queued 3 for the light workers\n"  # the same three
        held = unit_claim(queue="light")
        assert f"{held.stage}: a worker is at it now" in backfill("--queue")[0]
        fake.run(held)
        while held := unit_claim(queue="light"):
            fake.run(held)
        assert due(missing=True) == []


def test_it_may_be_interrupted(iteration):
    def interrupted(_):
        raise KeyboardInterrupt

    stop = fake.group("b", fake.metric("two"), promote=interrupted)
    with fake.groups(A, stop), pytest.raises(CommandError, match="--missing") as end:
        backfill()
    assert end.value.returncode == 130
    assert MetricValue.objects.count() == 1


def test_one_iteration_and_one_object(iteration):
    other = finished(iteration.project, None)
    with fake.groups(A, B):
        said, lines = backfill("--project", other.project.slug, "--iteration", "2", "--json")
    assert (json.loads(said), lines) == ({"iterations": 1, "values": 3, "failed": []}, "")
    assert set(MetricValue.objects.values_list("iteration__number", flat=True)) == {2}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--project", "nowhere"], "no project called 'nowhere'"),
        (["--iteration", "1"], "--iteration needs --project"),
        (["--group", "z"], "no group called z; there are a"),
    ],
)
def test_wrong_input_is_said_with_exit_code_2(words, why):
    with fake.groups(A), pytest.raises(CommandError, match=why) as refused:
        backfill(*words)
    assert refused.value.returncode == 2
