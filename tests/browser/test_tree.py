"""The tree of a task, opened by a lead with the keyboard; it and the task's own page are accessible."""

import pytest
from playwright.sync_api import expect

from tests import factories as make
from webapp.annotate.models import Regeneration
from webapp.projects.models import Role

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def task(signed_in):
    project = make.project_make(slug="here")
    lead = make.member_make(project, Role.LEAD)
    task = make.task_make(make.iteration_make(project))
    asked = Regeneration.objects.create(
        project=project, task=task, author=lead, response=task.response, step=1, state="done"
    )
    for last in ("4 + 1 = 5", "4 + 1 = 7"):
        make.response_make(
            task.prompt,
            "2 + 2 = 4",
            last,
            origin="continuation",
            parent=task.response,
            regeneration=asked,
        )
    signed_in(lead)
    return task


def test_a_lead_goes_from_the_task_to_its_branches(page, live_server, task):
    page.goto(f"{live_server.url}/projects/here/tasks/{task.pk}/")
    page.locator(f"a[href$='/tasks/{task.pk}/tree/']").first.press("Enter")
    tree = page.locator("[data-tree]")
    expect(tree).to_contain_text("4 + 1 = 7")
    tree.locator("[data-node]").first.focus()
    first = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.hasAttribute('data-node')")
    assert page.evaluate("document.activeElement.textContent") != first


def test_every_page_everywhere(page, live_server, task, everywhere):
    for place in (f"tasks/{task.pk}/tree/", f"tasks/{task.pk}/"):
        page.goto(f"{live_server.url}/projects/here/{place}")
        assert everywhere(page, place) == []
