"""Training runs, two models side by side and the playground in Chromium: live, by keyboard, accessible."""

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from loop.recipe_parts import FinetunePart
from tests.stories import past_make
from webapp.curate.models import DatasetVersion
from webapp.iterations.models import RunPoint, WorkUnit
from webapp.iterations.services.runs import preview_start, run_start
from webapp.playground import services as playground

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def past(signed_in):
    past = past_make(tasks=0)
    signed_in(past.lead)
    return past


@pytest.fixture
def run(past):
    dataset = DatasetVersion.objects.create(
        project=past.project, number=1, sha256="0" * 64, row_count=40, example_ids=[],
        manifest={"kinds": {"sample": 40}},
    )  # fmt: skip
    unit = run_start(
        project=past.project, dataset=dataset, finetune=FinetunePart(), start=None, seed=0, by=past.lead
    )
    WorkUnit.objects.filter(pk=unit.pk).update(state="running", total=40)
    train(unit, 1, 20)
    return unit


def train(unit, first, last):
    RunPoint.objects.bulk_create(
        RunPoint(unit=unit, step=n, total_steps=40, loss=2 / n, learning_rate=1e-3, tokens_per_s=1e4,
                 padding_share=0.1, mfu=0.4, extra={"margin": 0.01 * n})
        for n in range(first, last + 1)
    )  # fmt: skip
    progress = {"loss": 2 / last, "time_left_s": 9, "extra": {"margin": 0.01 * last}}
    WorkUnit.objects.filter(pk=unit.pk).update(done=last, progress=progress)


def talk(past, blind=True):
    """A blind talk that was answered once."""
    session = playground.session_start(
        project=past.project, by=past.lead, versions=[past.base, past.better], blind=blind
    )
    playground.turn_ask(session=session, by=past.lead, text="2 + 2?")
    turn = playground.turn_claim()
    answers = [{"text": f"**{n}** is $x^2$", "finish": "stop", "tokens": 3} for n in (4, 5)]
    playground.turn_finish(pk=turn.pk, token=turn.token, answers=answers)
    return session


def at(live_server, past, name, *more, **query):
    address = live_server.url + reverse(name, args=[past.project.slug, *more])
    return address + "?" + "&".join(f"{k}={v}" for k, v in query.items())


def test_accessible_in_both_themes_and_without_sideways_scroll(page, live_server, past, run, axe):
    preview = preview_start(
        project=past.project, dataset=DatasetVersion.objects.get(), finetune=FinetunePart(), by=past.lead
    )
    uses = ("context", "trained", "masked", "end")
    pieces = [[f"a passage that is {use} ", use] for use in uses]
    rows = [{"kind": "sample", "tokens": 9, "weight": 1.0, "side": "chosen", "pieces": pieces}]
    preview.state, preview.result = "done", {"rows": rows, "dropped": {"too_long": 2}, "ends_trained": 1}
    preview.save()
    finetune = {k: v for k, v in FinetunePart().model_dump(mode="json").items() if v not in (None, False)}
    form = {**finetune, "start": "base", "seed": 0, "dataset": 1, "preview": preview.pk}
    addresses = [
        at(live_server, past, "runs"),
        at(live_server, past, "run", run.pk),
        at(live_server, past, "run_new", **form),
        at(live_server, past, "models_compare", show="all"),
        at(live_server, past, "playground"),
        at(live_server, past, "playground_talk", talk(past).pk),
    ]
    problems = []
    page.on("console", lambda m: problems.append(m.text) if "Content Security" in m.text else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    for address in addresses:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")
        page.goto(address)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            problems += [f"{address} {scheme}: {finding}" for finding in axe(page)]
        page.set_viewport_size({"width": 390, "height": 900})
        if page.evaluate("document.documentElement.scrollWidth") > 390:
            problems.append(f"{address}: scrolls sideways at 390 px")
    assert problems == []


@pytest.mark.own_context
def test_the_curve_is_drawn_followed_and_has_a_twin(page, live_server, past, run):
    """This server has no event stream, so the page falls back to looking."""
    page.clock.install()
    page.goto(at(live_server, past, "run", run.pk))
    expect(page.locator(".run-chart")).to_have_count(6)
    loss = page.locator(".run-chart", has_text="Loss")
    expect(loss.locator("output")).to_have_text("0.1")
    expect(page.locator("#curve-said")).to_have_text("The loss fell from 2 to 0.1 in 20 steps.")
    canvas = "document.querySelector('.run-chart canvas').getContext('2d').getImageData(0, 0, 900, 200)"
    assert page.evaluate(f"{canvas}.data.some(Boolean)")

    loss.focus()
    page.keyboard.press("Home")
    expect(loss.locator("output")).to_have_text("step 1: 2")
    page.keyboard.press("ArrowRight")
    expect(loss.locator("output")).to_have_text("step 2: 1")
    page.locator("#twin summary").click()
    expect(page.locator("#twin tbody tr")).to_have_count(16)

    train(run, 21, 40)
    page.locator("button", has_text="Pause").focus()
    page.clock.run_for(6000)
    expect(page.locator("#curve-said")).to_have_text("The loss fell from 2 to 0.05 in 40 steps.")
    expect(page.locator("button", has_text="Pause")).to_be_focused()
    expect(page.locator("#twin")).to_have_attribute("open", "")
    expect(page.locator("#twin tbody tr").last).to_contain_text("40")
    expect(loss.locator("output")).to_have_text("0.05")
    page.keyboard.press("p")
    expect(page.locator("#live .badge").first).to_have_text("‖ paused")


@pytest.mark.own_context
def test_a_blind_talk_by_keyboard(page, live_server, past):
    session = talk(past)
    page.clock.install()
    page.goto(at(live_server, past, "playground_talk", session.pk))
    expect(page.locator(".answer .katex").first).to_be_visible()  # mathematics is typeset
    page.keyboard.press("m")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("And 3 + 3?")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".answer.writing")).to_have_count(2)
    turn = playground.turn_claim()
    playground.turn_heartbeat(pk=turn.pk, token=turn.token, partial=["It is <6>", ""])
    page.clock.run_for(6000)  # no event stream here: it looks
    expect(page.locator(".answer.writing").first).to_contain_text("It is <6>")
    answers = [{"text": text, "finish": "stop", "tokens": 1} for text in ("6", "7")]
    playground.turn_finish(pk=turn.pk, token=turn.token, answers=answers)
    page.clock.run_for(6000)
    expect(page.get_by_text("Which side is better?")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator("#live .banner")).to_contain_text(
        re.compile(r"You voted: A is better.*A was v\d, B was v\d", re.DOTALL)
    )
