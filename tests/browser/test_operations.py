"""Trust, operations and the system page in Chromium: everywhere, by keyboard, and live."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests import factories as make
from tests.webapp.metrics.at_work import at_work_make
from tests.webapp.metrics.site import beat_make, site_make
from webapp.metrics.models import WorkerBeat

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project():
    past = at_work_make()
    site_make(past.project)
    return past.project


@pytest.fixture
def staff(project, signed_in):
    user = make.member_make(project, role="admin", username="root", is_staff=True)
    signed_in(user)
    return user


def test_every_page_everywhere(page, live_server, project, staff, everywhere):
    addresses = [
        reverse("trust", args=[project.slug]),
        reverse("operations", args=[project.slug]),
        reverse("system"),
        reverse("figure", args=[project.slug, "trust-ppi", "html"]) + "?name=ppi_right&iteration=6",
        reverse("figure", args=[project.slug, "operations-age", "html"]),
    ]
    problems = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    for address in addresses:
        page.goto(live_server.url + address)
        page.evaluate("document.querySelectorAll('main details').forEach((d) => { d.open = true; })")
        problems += everywhere(page, address)
    empty = make.project_make(name="Empty")
    make.member_make(empty, username="unused")
    empty.memberships.create(user=staff, role="admin")
    for name in ("trust", "operations"):
        page.goto(live_server.url + reverse(name, args=[empty.slug]))
        problems += everywhere(page, f"empty {name}")
    assert problems == []


def test_a_figure_s_table_twin_by_keyboard(page, live_server, project, staff):
    page.goto(live_server.url + reverse("trust", args=[project.slug]))
    twin = page.locator("#figure-trust-agreement details")
    twin.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(twin.locator("tbody tr")).to_have_count(5)


@pytest.mark.own_context
def test_the_system_page_renews_itself(page, live_server, project, staff):
    page.clock.install()
    page.goto(live_server.url + reverse("system"))
    expect(page.locator(".workers-table")).to_contain_text("alive")
    beat_make("train", pid=4711, memory=1 << 30)
    WorkerBeat.objects.filter(queue="scheduler").delete()
    page.clock.run_for(11_000)
    expect(page.locator(".workers-table")).to_contain_text("box:4711")
    expect(page.locator(".banner.bad").first).to_contain_text("No scheduler reports")
