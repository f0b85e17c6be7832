"""The alarms page in a real browser: a rule set and an alarm dealt with by keyboard alone."""

import pytest
from playwright.sync_api import expect

from tests import factories as make
from webapp.metrics.models import Alarm, AlarmRule
from webapp.projects.models import Role

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project():
    project = make.project_make(name="Word problems")
    iteration = make.iteration_make(project, recipe_name="unfiltered")
    for key, level in (("collapse", "bad"), ("filter_idle", "warn")):
        Alarm.objects.create(
            project=project, iteration=iteration, key=key, level=level, metric="heldout_gain",
            text="The challenger is worse on held-out prompts, −23.0 points (95 % −28.0 to −18.0).",
        )  # fmt: skip
    Alarm.objects.create(
        project=project, iteration=iteration, key="critic_stamp", level="warn", text="It catches 10.0 %.",
        seen_at="2026-01-01T00:00Z", note="more marks",
    )  # fmt: skip
    AlarmRule.objects.create(project=project, key="judge_bias", enabled=False, hold=True)
    return project


def test_alarms_and_rules_by_keyboard(page, live_server, signed_in, everywhere, project):
    signed_in(make.member_make(project, role=Role.LEAD))
    page.goto(f"{live_server.url}/projects/{project.slug}/alarms/")
    assert everywhere(page, "alarms") == []

    page.get_by_label("Forgetting: Limit").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("5")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # hold
    page.keyboard.press("Enter")
    expect(page.locator("#rule-forgetting")).to_contain_text("usual 2")
    expect(page.get_by_label("Forgetting: Hold")).to_be_checked()
    assert AlarmRule.objects.get(key="forgetting").limit == 0.05

    note = page.locator(".alarm").first.get_by_role("textbox")
    note.focus()
    page.keyboard.type("a checker accepts now")
    page.keyboard.press("Enter")
    expect(page.locator(".alarm")).to_have_count(1)
    expect(page.locator("#past")).to_contain_text("a checker accepts now")


def test_a_limit_out_of_bounds_is_said_where_it_was_typed(page, live_server, signed_in, everywhere, project):
    signed_in(make.member_make(project, role=Role.LEAD))
    page.goto(f"{live_server.url}/projects/{project.slug}/alarms/")
    limit = page.get_by_label("Length hacking: Limit")
    limit.evaluate("field => { field.removeAttribute('min'); }")  # as a browser that does not check
    limit.fill("0.5")
    limit.press("Enter")
    expect(page.locator("#rule-length_hacking .field-error")).to_have_text("Between 1 and 10.")
    assert everywhere(page, "refused") == []
