"""Finished iterations are told to a tracker: once, by work that fails nothing else."""

import json
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from loop.stages import Stage
from tests import factories as make
from tests.webapp.metrics import fake
from webapp.iterations.models import Iteration, WorkUnit
from webapp.iterations.services import unit_claim
from webapp.iterations.services.measures import measuring_plan
from webapp.metrics.models import MetricValue
from webapp.metrics.selectors import tracked
from workers import beat
from workers.stages import track
from workers.tasks import work
from workers.tracking import TrackerAway, TrackerMissing, send, tell

pytestmark = pytest.mark.django_db


class Recorder:
    """Stands for any client, run or module: keeps every call."""

    def __init__(self, **answers):
        self.calls, self._answers = [], answers

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            return self._answers.get(name)

        return call

    def named(self, name):
        return [(args, kwargs) for called, args, kwargs in self.calls if called == name]


@pytest.fixture
def iteration():
    project = make.project_make(slug="sums")
    iteration = make.iteration_make(
        project,
        stage="done",
        status="done",
        recipe={"name": "self"},
        seed=7,
        decision={"promote": True, "effect": 0.125, "p_value": 0.01, "reasons": ["the guards hold"]},
        finished_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    for name, value, low, high in (
        ("samples_right", 0.5, 0.25, 0.75),
        ("gv_gap:critic", 0.125, None, None),
        ("acc_2", None, None, None),
    ):
        MetricValue.objects.create(
            project=project, iteration=iteration, name=name, value=value, low=low, high=high
        )
    return iteration


VALUES = {
    "samples_right": 0.5, "samples_right_low": 0.25, "samples_right_high": 0.75, "gv_gap/critic": 0.125,
}  # fmt: skip


def test_what_is_told(iteration):
    over = {"status": "done", "finished_at": timezone.now()}
    control = make.iteration_make(iteration.project, arm="shuffled", **over)
    told = tracked(iteration.pk)
    assert (told.run, told.number, dict(told.values)) == ("sums", 1, VALUES)
    own = dict(told.own)
    assert own.pop("settings") == {"name": "self"}
    assert own == {
        "recipe": "self", "seed": 7, "champion": "", "challenger": "", "dataset": "",
        "promote": True, "effect": 0.125, "p_value": 0.01, "reasons": ["the guards hold"],
    }  # fmt: skip
    assert tracked(control.pk).run == "sums-shuffled"
    later = make.iteration_make(iteration.project, **over)
    assert list(tracked(later.pk).facts) == ["iteration_1", "iteration_3"]


def test_trackio(iteration, monkeypatch):
    run = Recorder()
    monkeypatch.setitem(sys.modules, "trackio", module := Recorder(init=run))
    send("trackio", told := tracked(iteration.pk))
    [(_, made)] = module.named("init")
    assert (made["project"], made["name"], made["resume"]) == ("whetstone", "sums", "allow")
    assert made["config"] == told.facts
    assert run.calls == [("log", (VALUES,), {"step": 1}), ("finish", (), {})]


def test_wandb(iteration, monkeypatch):
    run = Recorder()
    run.config = Recorder()
    monkeypatch.setitem(sys.modules, "wandb", module := Recorder(init=run))
    send("wandb", told := tracked(iteration.pk))
    assert module.named("init")[0][1]["id"] == "sums"
    assert run.config.calls == [("update", (told.facts,), {"allow_val_change": True})]
    assert run.calls[1:] == [("log", ({**VALUES, "iteration": 1},), {}), ("finish", (), {})]


def mlflow_with(monkeypatch, runs):
    new = SimpleNamespace(info=SimpleNamespace(run_id="r1"), data=SimpleNamespace(tags={}))
    client = Recorder(search_runs=runs, create_run=new, create_experiment="e1")
    entities = SimpleNamespace(Metric=lambda *a: a, RunTag=lambda *a: a)
    module = SimpleNamespace(MlflowClient=lambda: client, entities=entities)
    monkeypatch.setitem(sys.modules, "mlflow", module)
    return client


def test_mlflow(iteration, monkeypatch):
    client = mlflow_with(monkeypatch, runs=[])
    send("mlflow", tracked(iteration.pk))
    assert client.named("create_run")[0][1]["run_name"] == "sums"
    metrics, tags = (kwargs for _, kwargs in client.named("log_batch"))
    assert sorted(metrics["metrics"]) == sorted((k, v, 1767312000000, 1) for k, v in VALUES.items())
    written = dict(tags["tags"])
    assert json.loads(written["iteration_1.settings"]) == {"name": "self"}
    assert (written["iteration_1.promote"], written["iteration_1.sent"]) == ("true", "yes")


def test_mlflow_is_not_told_twice(iteration, monkeypatch):
    sent = SimpleNamespace(
        info=SimpleNamespace(run_id="r1"), data=SimpleNamespace(tags={"iteration_1.sent": "yes"})
    )
    client = mlflow_with(monkeypatch, runs=[sent])
    send("mlflow", tracked(iteration.pk))
    assert client.named("log_batch") == client.named("create_run") == []


@pytest.mark.parametrize(
    ("name", "why"), [("wandb", r"pip install wandb"), ("tensorboard", r"it may be trackio, mlflow, wandb")]
)
def test_what_cannot_be_used_is_said(iteration, monkeypatch, name, why):
    monkeypatch.setitem(sys.modules, name, None)  # not installed
    with pytest.raises(TrackerMissing, match=why):
        send(name, tracked(iteration.pk))


@pytest.fixture
def client(tmp_path, monkeypatch):
    """A package called trackio, whose ``init`` has this body."""

    def made(body):
        (tmp_path / "trackio.py").write_text(f"import pathlib\ndef init(**told): {body}")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return made


def test_the_client_runs_in_a_process_of_its_own(iteration, client, tmp_path):
    client(f"pathlib.Path({str(tmp_path / 'told')!r}).write_text(repr(told)); raise SystemExit")
    tell("trackio", told := tracked(iteration.pk))
    assert repr(told.facts) in (tmp_path / "told").read_text()


@pytest.mark.parametrize(
    ("body", "seconds", "why"),
    [
        ("raise ConnectionError('nobody\\nanswers')", 60, "^ConnectionError: nobody answers$"),
        ("import threading; threading.Event().wait()", 0.3, r"^not done in 0\.3 seconds$"),
    ],
    ids=["fails", "waits without end"],
)
def test_what_a_client_does_comes_back_as_a_sentence(iteration, client, body, seconds, why):
    client(body)
    with pytest.raises(TrackerAway, match=why):
        tell("trackio", tracked(iteration.pk), seconds=seconds)


def test_a_missing_package_is_said_from_there_too(iteration):
    with pytest.raises(TrackerMissing, match="it may be trackio, mlflow, wandb"):
        tell("tensorboard", tracked(iteration.pk))


def measured(*iterations):
    """Workers measure what is planned."""
    with fake.groups():
        while (unit := unit_claim(queue="light")) and unit.kind == "measure":
            fake.run(unit)
    return WorkUnit.objects.filter(kind="track", project__in=[i.project_id for i in iterations])


def test_it_is_planned_when_the_last_stage_was_measured_and_only_once(iteration, settings):
    settings.TRACKER = "trackio"
    Iteration.objects.update(status="running", stage="promote")
    measuring_plan(iteration=iteration, stage=Stage.EVALUATE)
    assert not measured(iteration)
    Iteration.objects.update(status="done", stage="done")
    measuring_plan(iteration=iteration, stage=Stage.CURATE)
    measuring_plan(iteration=iteration, stage=Stage.PROMOTE)
    with fake.groups():
        fake.run(unit_claim(queue="light"))
    assert not WorkUnit.objects.filter(kind="track").exists()
    [unit] = measured(iteration)
    assert (unit.iteration, unit.queue, unit.ordinal) == (None, "light", 1)
    assert unit.payload == {"iteration_id": iteration.pk}
    WorkUnit.objects.filter(kind="measure").update(state="queued")  # as a backfill would
    assert len(measured(iteration)) == 1


def test_no_tracker_is_the_default(iteration, settings):
    assert settings.TRACKER == ""
    measuring_plan(iteration=iteration, stage=Stage.PROMOTE)
    assert not measured(iteration)


@pytest.mark.django_db(transaction=True)
class TestTheUnit:
    @pytest.fixture(autouse=True)
    def tracker(self, settings, monkeypatch):
        settings.TRACKER = "trackio"
        self.run = Recorder()
        self.module = Recorder(init=self.run)
        monkeypatch.setitem(sys.modules, "trackio", self.module)
        monkeypatch.setattr(track, "tell", self.tell)

    def tell(self, name, told):
        try:
            send(name, told)
        except ConnectionError as error:
            raise TrackerAway(str(error)) from error

    def attempt(self):
        WorkUnit.objects.filter(state="running").update(leased_until=timezone.now() - timedelta(seconds=1))
        unit = unit_claim(queue="light")
        work(unit.pk, unit.token, unit.kind)
        unit.refresh_from_db()
        return unit

    def test_it_sends_and_says_so(self, iteration):
        measuring_plan(iteration=iteration, stage=Stage.PROMOTE)
        measured(iteration)
        WorkUnit.objects.update(leased_until=None, state="queued")
        WorkUnit.objects.filter(kind="measure").update(state="done")
        unit = self.attempt()
        assert (unit.state, unit.result) == ("done", {"tracker": "trackio", "values": 4})
        assert len(self.run.named("log")) == 1

    def test_a_tracker_that_is_away_is_tried_again_and_fails_no_iteration(self, iteration):
        def away(**_):
            raise ConnectionError("nobody answers")

        self.module.init = away
        WorkUnit.objects.create(
            project=iteration.project, kind="track", stage="done", queue="light", ordinal=1,
            payload={"iteration_id": iteration.pk},
        )  # fmt: skip
        done = beat.counts.done
        unit = self.attempt()
        assert (unit.state, beat.counts.done) == ("running", done)
        assert unit.message == "will be sent again: nobody answers"
        for _ in range(5):
            unit = self.attempt()
        assert (unit.state, unit.error) == ("failed", "TrackerAway: nobody answers")
        iteration.refresh_from_db()
        assert iteration.status == "done"
        measuring_plan(iteration=iteration, stage=Stage.PROMOTE)
        measured(iteration)
        unit.refresh_from_db()
        assert (unit.state, unit.attempt) == ("running", 1)  # claimed again after the next measuring

    def test_an_iteration_that_is_gone_ends_it(self, iteration):
        WorkUnit.objects.create(
            project=iteration.project, kind="track", stage="done", queue="light", payload={"iteration_id": 0}
        )
        assert self.attempt().state == "done"
        assert self.run.calls == []
