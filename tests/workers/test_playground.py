"""Workers answer in the playground: both sides on their own history, streamed, within a batch as well."""

import uuid

import pytest

from loop.model import Completion
from loop.records import Sampling
from loop.scripted import ScriptedEngine

pytestmark = [pytest.mark.xdist_group("torch"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def talk():
    from tests import factories as make
    from webapp.playground import services
    from webapp.projects.models import Role
    from webapp.registry.services import base_register, model_register

    project = make.project_make()
    lead = make.member_make(project, role=Role.LEAD)
    base = base_register(project=project)
    other = model_register(project=project, parent=base, adapter_path="a")
    return services.session_start(project=project, by=lead, versions=[base, other], temperature=0.3)


def say(talk, text="2 + 2?"):
    from webapp.playground import services

    return services.turn_ask(session=talk, by=talk.author, text=text)


@pytest.fixture
def scripted(monkeypatch):
    from workers import models

    def use(script):
        engine = ScriptedEngine(script)
        asked = []
        monkeypatch.setattr(models, "engine_with", lambda version: asked.append(version.number) or engine)
        return asked

    return use


def now(row):
    row.refresh_from_db()
    return row


def test_both_sides_answer_each_on_its_own_history(talk, scripted):
    from workers import waiting

    seen = []

    def script(request, i):
        seen.append((request.adapter, [m.content for m in request.messages], request.sampling))
        return f"{request.adapter or 'base'} says {len(request.messages)}"

    asked = scripted(script)
    first = say(talk)
    assert waiting.take()
    assert asked == [1, 2]
    assert [a["text"] for a in now(first).answers] == ["base says 1", f"{talk.right.name} says 1"]
    second = say(talk, "And now?")
    assert waiting.take()
    assert not waiting.take()
    assert now(second).state == "done"
    assert seen[2][:2] == (None, ["2 + 2?", "base says 1", "And now?"])
    assert seen[3][:2] == (talk.right.name, ["2 + 2?", f"{talk.right.name} says 1", "And now?"])
    assert seen[0][2] == Sampling(temperature=0.3, max_new_tokens=256)


def test_it_streams_in_and_sides_on_two_bases_come_one_after_the_other(talk, scripted, monkeypatch):
    from webapp.playground import services
    from webapp.registry.models import ModelVersion
    from workers import playground, waiting

    ModelVersion.objects.filter(pk=talk.right_id).update(base="another")
    monkeypatch.setattr(waiting, "PAUSE", 0)
    seen = []
    monkeypatch.setattr(
        playground,
        "heartbeat",
        lambda *, partial=None, **of: seen.append(partial) or services.turn_heartbeat(partial=partial, **of),
    )
    asked = scripted(lambda request, i: "four" if request.adapter is None else "five")
    row = say(talk)
    assert waiting.take()
    assert asked == [1, 2]
    assert seen[0] == ["fo"]
    assert seen[-1] == ["four", "five"]
    assert [a["text"] for a in now(row).answers] == ["four", "five"]


def test_alternatives_come_first_and_what_is_cancelled_is_dropped(talk, scripted, monkeypatch):
    from webapp.playground import services
    from workers import alternatives, waiting

    order = []
    monkeypatch.setattr(alternatives, "claim", lambda base: order.append("alternatives"))
    monkeypatch.setattr(waiting, "PAUSE", 0)

    def cancel(request, i):
        services.turn_cancel(session=talk, by=talk.author)
        return "four"

    scripted(cancel)
    row = say(talk)
    assert waiting.take()
    assert order == ["alternatives"]
    assert (now(row).state, row.answers) == ("cancelled", [])


def test_an_engine_that_fails_leaves_a_sentence(talk, scripted):
    from workers import waiting

    def broken(request, i):
        raise ValueError("a prompt of 900 tokens leaves no room to answer")

    scripted(broken)
    row = say(talk)
    assert waiting.take()
    assert (now(row).state, row.error) == (
        "failed",
        "ValueError: a prompt of 900 tokens leaves no room to answer",
    )


def test_a_repeat_draws_the_same_and_each_side_its_own(talk, scripted, monkeypatch):
    from webapp.playground.models import Turn
    from workers import playground, waiting

    seeds = []
    scripted(lambda request, i: seeds.append(request.seeds[i]) or Completion("four"))
    row = say(talk)
    finish = playground.turn_finish
    monkeypatch.setattr(playground, "turn_finish", lambda **_: None)  # died just before
    waiting.take()
    Turn.objects.filter(pk=row.pk).update(lease_until="2020-01-01T00:00:00Z")
    monkeypatch.setattr(playground, "turn_finish", finish)
    waiting.take()
    assert now(row).state == "done"
    assert seeds[:2] == seeds[2:]
    assert seeds[0] != seeds[1]


def test_two_adapters_on_one_base_both_answer_within_a_batch(talk, llama, tmp_path, monkeypatch):
    """A tiny model of the real engine: the batch that is under way ends with the texts it would have had."""
    from loop.model import GenerateRequest
    from loop.records import Message
    from tests.workers.tiny import make_adapter
    from webapp.registry.models import ModelVersion
    from workers import models, waiting
    from workers.engines import engine_for

    engine = engine_for(str(llama))
    ModelVersion.objects.filter(pk=talk.left_id).update(adapter_path="b")
    for n, version in enumerate((talk.left, talk.right)):
        engine.load_adapter(version.name, make_adapter(llama, tmp_path / f"adapter-{n}", seed=n))
    monkeypatch.setattr(models, "engine_with", lambda version: engine)
    batch = [
        GenerateRequest((Message("user", "1 + 1"),), Sampling(temperature=1.0, max_new_tokens=24), (7, 8))
    ]
    want = [c.text for c in engine.generate(batch)[0]]
    row = say(talk)
    engine.between = waiting.Interlude("seed")
    got = [c.text for c in engine.generate(batch)[0]]
    assert got == want
    assert now(row).state == "done", row.error
    assert [a["tokens"] > 0 for a in row.answers] == [True, True]
    assert uuid.UUID(str(row.pk))
