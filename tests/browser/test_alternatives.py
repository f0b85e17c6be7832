"""Regenerate from here, by keyboard alone. A scripted worker answers through the services."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect

from loop.dialects import dialect_named
from loop.records import Sampling
from loop.runtime import run_method
from loop.sample.alternatives import alternatives as written_from
from loop.scripted import ScriptedEngine
from tests import factories as make
from webapp.annotate import alternatives, services
from webapp.annotate.models import Annotation, Queue, Regeneration
from webapp.registry.models import ModelVersion
from webapp.traces.models import Critique, Response

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
STEPS = ("3 * 12 = 36", "24 + 36 = 50", "50 - 15 = 35", "Answer: 35")
TAILS = (
    "24 + 36 = 60\n60 - 15 = 45\nAnswer: 45",
    "24 + 36 = 70\nAnswer: 70",
    "24 + 36 = 60\n60 - 15 = 45\nAnswer: 45",
)


@pytest.fixture
def project():
    project = make.project_make(dialect="terse")
    project.champion = ModelVersion.objects.create(
        project=project, number=1, name=f"{project.slug}-1", base="seed", dialect="terse"
    )
    project.save()
    return project


@pytest.fixture
def tasks(project):
    iteration = make.iteration_make(project)
    return [
        make.task_make(iteration, *STEPS, priority=1 - n / 10, show_model_critique=False) for n in range(2)
    ]


@pytest.fixture
def at_work(page, live_server, signed_in, project, tasks):
    signed_in(make.member_make(project))
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    expect(page.locator(".step-card[aria-current=step]")).to_contain_text(STEPS[0])
    return page


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def asked(page, *keys):
    """Press, and wait until the request has been taken."""
    with page.expect_response(lambda r: r.url.endswith("/regenerate")) as reply:
        press(page, *keys)
    return reply.value


def finish(row, tails=TAILS):
    work = alternatives.regeneration_for_work(row.pk)
    corrections = {int(step): text for step, text in work.corrections.items()}
    method = written_from(work.response.record(), row.step, len(tails), corrections)
    prompt, engine = work.response.prompt.record(), ScriptedEngine(lambda _, i: tails[i])
    said = {"dialect": dialect_named("terse"), "model_name": "m", "run_key": f"regeneration/{row.pk}"}
    with ThreadPoolExecutor(1) as pool:  # Playwright leaves an event loop running in this thread
        traces = pool.submit(run_method, method, [prompt], engine, Sampling(temperature=1.0), **said).result()
    services.regeneration_finish(pk=row.pk, token=row.token, trace=traces[0])


def written(page, *keys):
    asked(page, *keys)
    finish(services.regeneration_claim())
    expect(page.locator(".alternative[data-at]").first).to_be_visible()


def test_ask_rate_take_submit(at_work, tasks):
    page = at_work
    panel = page.locator(".alternatives")
    assert asked(page, "j", "b", "r").status == 202
    expect(panel.get_by_role("status")).to_contain_text("Asking the model…")
    row = services.regeneration_claim()
    assert (row.step, row.count, row.corrections) == (1, 3, {})
    services.regeneration_heartbeat(pk=row.pk, token=row.token, partial=["24 + 36 =", "24", ""])
    expect(page.locator(".alternative.writing").first).to_contain_text("24 + 36 =")
    expect(panel.get_by_role("status")).to_contain_text("Writing…")
    finish(row)
    expect(page.locator(".alternative[data-at]")).to_have_count(2)  # alike ones are shown once
    first, second = page.locator(".alternative[data-at]").all()
    expect(first).to_be_focused()
    expect(first).to_contain_text("written 2 times")
    expect(first).not_to_contain_text("checker")  # neither critique nor reference is shown here
    press(page, "Enter", "ArrowDown", "1")
    expect(second).to_be_focused()
    expect(second.get_by_role("button", name="wrong", exact=True)).to_have_attribute("aria-pressed", "true")
    press(page, "ArrowUp", "Enter")  # on the one that is taken: back to the steps
    expect(page.locator(".step-card[aria-current=step]")).to_be_focused()
    expect(first.get_by_role("button", name="Taken")).to_be_visible()
    expect(first.get_by_role("button", name="wrong", exact=True)).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#correction")).to_have_value("24 + 36 = 60")
    press(page, "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    right, wrong = Response.objects.filter(regeneration=row).order_by("created_at")[:2]
    critique = Critique.objects.get(author_kind="person")
    assert critique.branches == [
        {"step": 1, "response": str(right.pk), "mark": None, "chosen": True},
        {"step": 1, "response": str(wrong.pk), "mark": -1, "chosen": False},
    ]
    assert (critique.first_error, critique.corrections) == (1, {"1": "24 + 36 = 60"})
    assert Annotation.objects.get().shown["alternatives"] is True


def test_taking_one_marks_an_unrated_step_wrong_and_it_can_be_edited_and_undone(at_work):
    page = at_work
    written(page, "j", "r")
    press(page, "e")
    expect(page.locator("#correction")).to_be_focused()
    page.keyboard.type("24 + 36 is 60")
    press(page, "Escape")
    expect(page.locator(".step-card.first")).to_contain_text(STEPS[1])
    expect(page.locator(".alternative.chosen")).to_have_count(1)
    press(page, "u", "u")
    expect(page.locator(".alternative.chosen")).to_have_count(0)
    expect(page.locator(".step-card.first")).to_have_count(0)


def test_a_correction_before_it_is_part_of_what_is_asked(at_work):
    page = at_work
    press(page, "j", "b", "j", "r")
    expect(page.locator("#notice")).to_contain_text("Step 2 is wrong: ask from there, or correct it first.")
    press(page, "k", "e")
    page.keyboard.type("24 + 36 = 60")
    press(page, "Escape")
    asked(page, "j", "r")
    assert Regeneration.objects.get().corrections == {"1": "24 + 36 = 60"}


def test_they_survive_a_reload_and_follow_the_cursor(at_work):
    page = at_work
    written(page, "j", "r")
    with page.expect_response(lambda r: r.url.endswith("/draft")):
        press(page, "3")
    page.reload()
    expect(page.locator(".alternative[data-at]")).to_have_count(2)
    good = page.locator(".alternative").first.get_by_role("button", name="good", exact=True)
    expect(good).to_have_attribute("aria-pressed", "true")
    press(page, "k")
    expect(page.locator(".alternatives")).to_be_hidden()
    press(page, "j", "r")  # there are some: it goes to them instead of asking
    expect(page.locator(".alternative").first).to_be_focused()
    assert Regeneration.objects.count() == 1
    asked(page, "r")  # from among them it asks for more
    assert Regeneration.objects.count() == 2


def test_no_worker_no_model_and_no_network_are_said_and_the_page_works_on(at_work, project, context):
    page = at_work
    status = page.locator(".alternatives").get_by_role("status")
    asked(page, "r")
    Regeneration.objects.update(created_at="2026-01-01T00:00:00Z")
    expect(status).to_contain_text("No model worker answers. Your request is kept")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator(".step-card[aria-current=step]")).to_be_focused()
    assert Regeneration.objects.get().state == "cancelled"

    asked(page, "j", "r")
    row = services.regeneration_claim()
    services.regeneration_fail(pk=row.pk, token=row.token, error="The server is away.")
    expect(status).to_contain_text("That did not work: The server is away. Press r to ask again.")

    context.set_offline(True)
    press(page, "r")
    expect(status).to_contain_text("The server cannot be reached.")
    context.set_offline(False)
    project.champion = None
    project.save()
    assert asked(page, "r").status == 409
    expect(status).to_contain_text("This project has no model in use yet")
    press(page, "Escape", "a", "Enter")
    expect(page.locator(".step-card[aria-current=step]")).to_contain_text(STEPS[0])
    assert Annotation.objects.count() == 1


def test_the_checkers_word_is_shown_only_where_a_critique_or_the_reference_is(
    page, live_server, signed_in, project
):
    make.task_make(make.iteration_make(project), *STEPS, show_reference=True)
    Queue.objects.filter(project=project).update(show_reference=True)
    signed_in(make.member_make(project))
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    expect(page.locator(".step-card[aria-current=step]")).to_contain_text(STEPS[0])
    written(page, "j", "r")
    Response.objects.update(verdict="right")
    page.reload()
    page.locator(".step-card").nth(1).click()
    expect(page.locator(".alternative").first).to_contain_text("the checker says right")


def test_accessible_and_nothing_sticks_out(at_work, everywhere):
    page = at_work
    written(page, "j", "r")
    press(page, "Enter", "ArrowDown", "1")
    assert everywhere(page) == []


def test_what_the_model_writes_stays_text(at_work):
    page = at_work
    page.on("dialog", lambda dialog: pytest.fail(f"script ran: {dialog.message}"))
    asked(page, "j", "r")
    row = services.regeneration_claim()
    evil = "<img src=x onerror=alert(1)>"
    services.regeneration_heartbeat(pk=row.pk, token=row.token, partial=[evil])
    expect(page.locator(".alternative.writing")).to_contain_text(evil)
    finish(row, [evil])
    expect(page.locator(".alternative[data-at]")).to_contain_text(evil)
    assert page.locator(".alternative img").count() == 0
