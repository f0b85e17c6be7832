"""From a gain on the overview to the click behind it in three clicks, and back up: by mouse, by keys, without
scripts, in both themes and at both widths."""

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests.stories import measured_past
from tests.webapp.metrics.traced import traced_past

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def traced(signed_in):
    traced = traced_past(tasks=2)
    signed_in(traced.past.lead)
    return traced


@pytest.fixture
def overview(live_server, traced):
    return live_server.url + reverse("project", args=[traced.past.project.slug])


def title(page):
    return page.locator("dialog#trace #trace-title")


def test_three_clicks_reach_the_click_behind_a_gain_and_lead_back_up(page, overview, everywhere):
    page.goto(overview)
    problems = everywhere(page, "overview")
    drawer = page.locator("dialog#trace")
    page.get_by_role("link", name=re.compile(r"^\+33\.3 points")).click()  # 1
    expect(title(page)).to_be_focused()
    expect(drawer).to_contain_text("5 examples, of which 3 rest on people’s answers")
    problems += everywhere(page, "the number")
    drawer.get_by_role("link", name="of which 3 rest on people’s answers").click()  # 2
    expect(title(page)).to_have_text("Rows resting on answers")
    problems += everywhere(page, "the rows")
    drawer.get_by_role("link", name=re.compile("^ana")).first.click()  # 3
    expect(title(page)).to_have_text("Answer of ana")
    expect(drawer.locator(".trace-steps .first")).to_contain_text("corrected to 4 + 1 = 5")
    expect(drawer).to_contain_text("In words, with every change (2 versions)")
    problems += everywhere(page, "the answer")
    up = drawer.get_by_role("link", name=re.compile(r"^held-out \+33\.3 points"))
    expect(drawer.get_by_role("link", name="model version 2")).to_be_visible()
    up.click()
    expect(title(page)).to_contain_text("iteration 1")
    assert problems == []


def test_by_keyboard_and_back_in_the_history(page, overview):
    page.goto(overview)
    opener = page.get_by_role("link", name=re.compile(r"^\+33\.3 points"))
    opener.press("Enter")
    expect(title(page)).to_be_focused()
    for _ in range(40):  # tabbing stays within the drawer and comes past every link
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('trace-main')"):
            break
    page.keyboard.press("Enter")
    expect(title(page)).to_have_text("Rows resting on answers")
    expect(title(page)).to_be_focused()
    page.go_back()
    expect(title(page)).to_contain_text("iteration 1")
    page.reload()
    expect(title(page)).to_contain_text("iteration 1")
    page.keyboard.press("Escape")
    expect(page.locator("dialog#trace")).not_to_be_visible()
    assert page.evaluate("history.state === null || !history.state.trace")
    opener.press("Enter")
    expect(title(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    assert page.url.split("#")[0] == overview


def test_without_scripts_every_step_is_a_page(browser, signed_in, traced, overview, live_server):
    context = browser.new_context(java_script_enabled=False)
    signed_in(traced.past.lead, context)
    page = context.new_page()
    page.goto(overview)
    page.locator(".better-gain").click()
    page.locator(".trace-main").click()
    page.locator(".trace-row").nth(1).click()
    expect(page.locator("h1")).to_have_text("Answer of ana")
    expect(page.locator(".trace-chain")).to_contain_text("promoted")
    page.get_by_role("link", name="Rows resting on answers").click()
    expect(page.locator("h1")).to_have_text("Rows resting on answers")
    page.goto("about:blank")
    context.close()


def test_the_overview_of_a_long_past_names_the_bad_iteration(page, live_server, signed_in, everywhere):
    past = measured_past()
    signed_in(past.lead)
    page.goto(live_server.url + reverse("project", args=[past.project.slug]))
    row = page.locator(".turns tr", has=page.locator(".turn-alarm"))
    expect(row).to_contain_text("held")
    expect(row).to_contain_text("Diversity loss")
    expect(page.locator(".attention")).to_contain_text("Diversity loss in iteration 4")
    assert page.locator(".overview-turns").bounding_box()["y"] < 800  # the table begins on the first screen
    assert everywhere(page, "overview") == []
