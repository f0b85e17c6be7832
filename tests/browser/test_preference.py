"""Preference by keyboard: the winner stored is the candidate meant, whatever was displayed where."""

import pytest
from playwright.sync_api import expect

from tests import factories as make
from webapp.annotate.models import Annotation
from webapp.traces.models import Preference, Response

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project():
    return make.project_make()


@pytest.fixture
def tasks(project):
    iteration = make.iteration_make(project)
    return [make.preference_task_make(iteration, f"Answer: {n}", f"Answer: {n + 10}") for n in range(3)]


@pytest.fixture
def at_work(page, live_server, signed_in, project, tasks):
    signed_in(make.member_make(project))
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    expect(page.locator(".candidate")).to_have_count(2)
    return page


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_choice_strength_reason(at_work, tasks):
    page = at_work
    shown = page.locator(".candidate").nth(1).locator(".candidate-step").inner_text()
    press(page, "2", "2", "c")
    page.keyboard.type("It is right")
    press(page, "Enter", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    record = Preference.objects.get().record()
    winner = Response.objects.get(pk=record.response_ids[record.winner])
    assert winner.text == shown
    assert (record.strength, record.rationale) == (1.0, "It is right")
    assert Annotation.objects.get().shown["order"] in ([0, 1], [1, 0])


def test_tie_and_all_bad(at_work, tasks):
    page = at_work
    press(page, "0", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    press(page, "1", "-", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[2].prompt.text)
    rows = Preference.objects.order_by("created_at").values_list("winner", "all_bad")
    assert list(rows) == [(None, False), (None, True)]


def test_nothing_chosen_is_said_and_undo_takes_back(at_work):
    press(at_work, "1", "u", "Enter")
    expect(at_work.locator("#notice")).to_contain_text("Choose the better response")
    assert Annotation.objects.count() == 0


def test_draft_survives_a_reload(at_work):
    page = at_work
    press(page, "1", "]")
    expect(page.locator("#saved")).to_contain_text("saved")
    page.reload()
    expect(page.locator(".candidate input").first).to_be_checked()
    expect(page.locator("[name=strength][value='3']")).to_be_checked()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_accessible_and_nothing_sticks_out(at_work, axe, scheme, width):
    page = at_work
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    press(page, "1")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_works_without_javascript(browser, live_server, signed_in, project, tasks):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    signed_in(make.member_make(project), context)
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    page.locator("[name=winner][value=tie]").check(force=True)
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Preference.objects.get().winner is None
    context.close()
