"""Workers write alternatives for a person who waits: first when idle, within the batch when busy."""

import time
import uuid

import pytest

from loop.model import Completion
from loop.scripted import ScriptedEngine
from webapp.embedded.layout import ROOT

pytestmark = [pytest.mark.xdist_group("torch"), pytest.mark.django_db(transaction=True)]
seed_model = pytest.mark.skipif(
    not (ROOT / "workers" / "seed" / "model" / "model.safetensors").is_file(), reason="no seed model"
)


@pytest.fixture
def project():
    from tests.webapp.iterations import support
    from webapp.registry.models import ModelVersion

    project = support.project_with_prompts(12, 4, 2)
    project.champion = ModelVersion.objects.create(
        project=project, number=1, name=f"{project.slug}-1", base="seed", dialect="terse"
    )
    project.save()
    return project


@pytest.fixture
def claim(project):
    """An annotator at work on a response of the project's first prompt."""
    from tests import factories as make
    from webapp.annotate.services import assignment_claim, tasks_create

    prompt = project.prompts.filter(split="train").order_by("id").first()
    iteration = make.iteration_make(project, number=99, status="failed")  # out of the way of the next
    response = make.response_make(prompt, "1 + 1 = 2", "2 + 2 = 5", "Answer: 5", iteration=iteration)
    tasks_create(iteration=iteration, kind="step_critique", items=[(prompt.pk, response.pk, 0.0)])
    return assignment_claim(user=make.member_make(project), project=project)


def ask(claim, step=1, count=3):
    from webapp.annotate.services import regeneration_ask

    return regeneration_ask(user=claim.user, token=claim.token, step=step, count=count)


def now(row):
    row.refresh_from_db()
    return row


@pytest.fixture
def scripted(monkeypatch):
    """Puts an engine of the test's making into the worker's hands."""
    from workers import models

    def use(script):
        engine = ScriptedEngine(script)
        monkeypatch.setattr(models, "engine_with", lambda version: engine)
        return engine

    return use


def test_an_idle_worker_answers_people_before_batch_work(claim, project, scripted, monkeypatch):
    from tests.webapp.iterations import support
    from workers import tasks
    from workers.stages import generate

    order = []
    monkeypatch.setattr(generate, "run", lambda unit, lease: order.append("unit"))
    scripted(lambda request, i: order.append("alternative") or f"2 + 2 = {i}\nAnswer: {i}")
    support.start(project)
    row = ask(claim)
    monkeypatch.setattr(tasks, "unit_claim", _first_of(tasks.unit_claim))
    tasks.look("model")
    assert order == ["alternative"] * 3 + ["unit"]
    assert (now(row).state, row.responses.count()) == ("done", 3)


def _first_of(claim):
    given = []

    def once(**of):
        if given:
            return None
        given.append(claim(**of))
        return given[0]

    return once


def test_partial_texts_appear_while_it_is_written(claim, scripted, monkeypatch):
    from webapp.annotate import services
    from workers import alternatives, waiting

    monkeypatch.setattr(waiting, "PAUSE", 0)
    seen = []
    beat = services.regeneration_heartbeat
    monkeypatch.setattr(
        alternatives,
        "heartbeat",
        lambda *, partial=None, **of: seen.append(partial) or beat(partial=partial, **of),
    )
    scripted(lambda request, i: f"2 + 2 = {i}")
    row = ask(claim, count=2)
    assert waiting.take()
    assert seen == [["2 + ", "2 + "], ["2 + 2 = 0", "2 + 2 = 1"]]
    assert now(row).partial == ["2 + 2 = 0", "2 + 2 = 1"]
    assert not waiting.take()


def test_an_engine_that_fails_leaves_a_sentence(claim, scripted):
    from workers import waiting

    def broken(request, i):
        raise ConnectionError("the server is away")

    scripted(broken)
    row = ask(claim)
    assert waiting.take()
    assert (now(row).state, row.error) == ("failed", "ConnectionError: the server is away")


def test_a_cancelled_one_is_dropped_and_a_leaving_worker_gives_it_back(claim, scripted, monkeypatch):
    from webapp.annotate.services import regeneration_cancel
    from workers import leaving, waiting

    monkeypatch.setattr(waiting, "PAUSE", 0)
    row = ask(claim)

    def cancel(request, i):
        regeneration_cancel(user=claim.user, pk=row.pk)
        return "2 + 2 = 4"

    scripted(cancel)
    assert waiting.take()
    assert (now(row).state, row.responses.count()) == ("cancelled", 0)

    row = ask(claim)
    scripted(lambda request, i: leaving._asked.set() or "2 + 2 = 4")
    try:
        waiting.take()
    finally:
        leaving._asked.clear()
    assert (now(row).state, row.attempt, row.responses.count()) == ("queued", 0, 0)


def test_a_repeat_writes_the_same_and_nothing_twice(claim, scripted, monkeypatch):
    """The worker died after it had written; who takes over derives the same ids and seeds."""
    from webapp.annotate.models import Regeneration
    from workers import alternatives, waiting

    seeds = []
    scripted(lambda request, i: seeds.append(request.seeds[i]) or Completion(f"2 + 2 = {i}"))
    row = ask(claim, count=2)
    finish = alternatives.regeneration_finish
    monkeypatch.setattr(alternatives, "regeneration_finish", lambda **_: None)  # died just before
    waiting.take()
    Regeneration.objects.filter(pk=row.pk).update(lease_until="2020-01-01T00:00:00Z")
    monkeypatch.setattr(alternatives, "regeneration_finish", finish)
    waiting.take()
    assert (now(row).state, row.attempt, row.responses.count()) == ("done", 2, 2)
    assert seeds[:2] == seeds[2:]


def test_what_goes_wrong_in_an_interlude_stays_there(claim, monkeypatch):
    from django.db import OperationalError

    from workers import waiting

    for error in (OperationalError("gone"), ValueError("odd")):

        def fail(base=None, error=error):
            raise error

        monkeypatch.setattr(waiting, "take", fail)
        waiting.Interlude("seed")()


def test_the_batch_gets_as_long_as_the_alternatives_took(monkeypatch):
    from workers import waiting

    clock, taken = [100.0], []

    def slow(base):
        taken.append(clock[0])
        clock[0] += 2.0

    monkeypatch.setattr(waiting.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(waiting, "take", slow)
    look_up = waiting.Interlude("seed")
    for _ in range(8):
        look_up()
        clock[0] += 0.5
    assert taken == [100.0, 104.0]  # two seconds of writing, then two for the batch


@seed_model
def test_the_seed_model_answers_when_idle_and_within_a_batch_that_does_not_notice(claim, project, capsys):
    """Both latencies are printed; the batch's texts are those of an undisturbed engine."""
    from tests.webapp.iterations import support
    from webapp.traces.models import Response
    from workers import models, tasks, waiting

    models._engines.clear()
    models._checked.clear()
    recipe = support.small("rest-em", "settings.samples=8")
    undisturbed = support.start(project, recipe)
    while unit := support.unit_claim(queue="model"):
        tasks.work(unit.pk, unit.token, unit.kind)
    want = _texts(undisturbed)
    assert len(want) == 96

    row = ask(claim, step=0, count=6)
    started = time.monotonic()
    tasks.look("model")
    idle = time.monotonic() - started
    assert now(row).state == "done"
    texts = set(Response.objects.filter(regeneration=row).values_list("text", flat=True))
    assert texts  # how many differ is the luck of the draw: seeds come from the row's own random id

    asked = []
    look_up = models._engines["seed"].between

    def somebody_asks():
        if not asked:
            asked.append(ask(claim, step=2))
        look_up._due = 0.0
        look_up()

    models._engines["seed"].between = somebody_asks
    Response.objects.filter(iteration=undisturbed).delete()
    unit = undisturbed.units.get(kind="generate")
    unit.state, unit.token = "running", uuid.uuid4()
    unit.save()
    tasks.work(unit.pk, unit.token, unit.kind)
    models._engines["seed"].between = look_up
    (row,) = asked
    row.refresh_from_db()
    unit.refresh_from_db()
    assert (row.state, unit.state) == ("done", "done")
    texts = Response.objects.filter(regeneration=row).values_list("text", flat=True)
    assert all(text.startswith("1 + 1 = 2\n2 + 2 = 5\n") for text in texts)
    assert row.finished_at < unit.finished_at  # it did not wait for the batch
    assert _texts(undisturbed) == want
    busy = (row.finished_at - row.created_at).total_seconds()
    with capsys.disabled():
        print(f"\nseed model, request to alternatives: idle {idle:.2f} s, in a batch {busy:.2f} s")
    assert waiting.take() is False


def _texts(iteration):
    from webapp.traces.models import Response

    return list(
        Response.objects.filter(iteration=iteration, regeneration=None)
        .order_by("id")
        .values_list("id", "text", "logprobs")
    )
