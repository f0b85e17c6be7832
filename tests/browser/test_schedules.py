"""Schedules and notices in a browser: what is typed is said in words, and only what belongs to it asked."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from tests import factories as make
from tests.webapp.iterations import support as iterations
from tests.webapp.schedules.support import answers_make, schedule_make
from webapp.notices.models import Delivery, Event
from webapp.notices.services import channel_add, notice_add
from webapp.projects.models import Role
from webapp.schedules.models import Schedule
from webapp.schedules.services import schedules_look

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project(signed_in):
    """Schedules of each kind with a past, and channels with notices in each state."""
    project = iterations.project_with_prompts()
    now = timezone.now()
    limits = {
        "zone": "Europe/Berlin",
        "min_hours": 6,
        "max_hours": 72,
        "quiet_from": "08:00",
        "quiet_to": "18:00",
    }
    schedule_make(project, name="Fifty answers", now=now, kind="data", every=50, **limits)
    schedule_make(project, name="Nightly", now=now - timedelta(days=4), kind="clock", cron="0 2 * * *")
    schedule_make(project, name="Alarm", now=now, kind="drift", metric="champion:probe", drop=0.05)
    answers_make(project, 43)
    schedules_look(now=now)
    Schedule.objects.filter(name="Nightly").update(look_at=now)
    mail = channel_add(project=project, kind="email", target="a@example.org", events=Event.values, by=None)
    hook = "https://hooks.example.org/services/T0ABCDEF/B0123456789/a-long-part-that-nobody-should-see"
    channel_add(project=project, kind="webhook", target=hook, events=["promoted"], by=None)
    schedules_look(now=now + timedelta(days=1))
    notice_add(project=project, event=Event.PROMOTED, key="1", title="Iteration 1 promoted", text="It won.")
    Delivery.objects.filter(channel=mail).update(state="sent")
    Delivery.objects.exclude(channel=mail).update(state="given_up", last_error="answered with 404")
    signed_in(make.member_make(project, role=Role.ADMIN))
    return project


def test_pages_are_accessible_in_both_themes_and_widths_and_say_what_is_typed(
    page, live_server, project, axe
):
    first = Schedule.objects.get(name="Nightly")
    problems = []
    for name, more in (("schedules", []), ("schedule", [first.pk]), ("notices", [])):
        page.goto(live_server.url + reverse(name, args=[project.slug, *more]))
        for scheme, width in (("light", 1280), ("dark", 390)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            problems += [f"{name} {scheme} {width}: {found}" for found in axe(page)]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                problems.append(f"{name} {width}: scrolls sideways")
    assert problems == []

    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(live_server.url + reverse("schedule_new", args=[project.slug]))
    said = page.locator("[data-words]")
    expect(said).to_have_text("After every 50 newly accepted answers.")
    expect(page.get_by_label("Cron line")).to_be_hidden()
    page.get_by_label("By clock").check()
    expect(page.get_by_label("How many")).to_be_hidden()
    page.get_by_label("Cron line").fill("30 1 * * MON")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    expect(said).to_have_text("Every Monday at 01:30 Europe/Berlin.")
    expect(page.locator("[data-next]")).to_have_text(re.compile(r"^Next: .* · .* · "))
    page.get_by_label("Cron line").fill("30 1 *")
    expect(said).to_contain_text("A cron line has five parts")
    page.get_by_label("Cron line").fill("30 1 * * MON")
    page.get_by_label("Name").fill("Mondays")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Mondays")).to_be_visible()
    expect(page.get_by_text("The schedule is created and switched on.")).to_be_visible()
