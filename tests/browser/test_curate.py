"""Curating with the keyboard: tick, reject, take back; a version mixed while its count follows."""

import pytest
from playwright.sync_api import expect

from tests import factories as make
from tests.webapp.curate.support import example_make
from webapp.curate.models import DatasetVersion, Rejected
from webapp.projects.models import Role

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project(signed_in):
    project = make.project_make(slug="here")
    iteration = make.iteration_make(project)
    for by in ("people", "verifier", "verifier"):
        example_make(iteration, accepted_by=by)
    signed_in(make.member_make(project, Role.LEAD))
    return project


def test_rejecting_and_freezing_by_keyboard(page, live_server, project, everywhere):
    page.goto(f"{live_server.url}/projects/here/examples/")
    expect(page.get_by_role("button", name="Reject ticked…")).to_be_disabled()
    problems = everywhere(page, "examples")
    page.locator('input[name="pk"]').first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("r")
    expect(page.locator("h1")).to_have_text("Reject 1 example?")
    page.get_by_label("Why").fill("It names no step.")
    page.get_by_role("button", name="Reject", exact=True).press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("1 example is rejected")
    assert Rejected.objects.count() == 1
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("1 example is accepted again")

    page.keyboard.press("n")
    expect(page.locator("#would-title")).to_have_text("3 rows")
    page.get_by_label("Share of people").fill("50")
    page.keyboard.press("Tab")
    expect(page.locator("#would-title")).to_have_text("2 rows")
    problems += everywhere(page, "freezing")
    page.get_by_role("button", name="Freeze dataset version").press("Enter")
    expect(page.locator("h1")).to_have_text("Dataset version 1")
    assert DatasetVersion.objects.get().row_count == 2
    page.reload()  # without the message
    problems += everywhere(page, "a version")
    assert problems == []
