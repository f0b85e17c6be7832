"""People, agreement, guidelines and the search over tasks in Chromium: by keyboard alone, accessible."""

import re
import uuid

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests import factories as make
from webapp.annotate.models import Annotation, AnnotationTask, DayCount
from webapp.annotate.services.searching import search_fill
from webapp.projects.models import GuidelineVersion, Role
from webapp.projects.services import guidelines_add

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project():
    """Two people disagree about one response in three, a program agrees with one of them."""
    project = make.project_make(slug="here", name="Here")
    guidelines_add(project=project, text="Find the **first** wrong step.")
    version = guidelines_add(
        project=project,
        text="Find the first wrong step.\n\nUnits count: $5 m$ is not $5$.",
        examples=[{"text": "5 + 5 = 11", "mark": -1, "why": "It is 10."}],
    )
    people = [
        make.member_make(project, username="ada"),
        make.member_make(project, username="bob"),
        make.member_make(project, username="program", is_simulated=True),
    ]
    iteration = make.iteration_make(project)
    for i in range(12):
        task = make.task_make(iteration, "four pears", f"plums {i}", "Answer: 9", overlap=3)
        AnnotationTask.objects.filter(pk=task.pk).update(answers=3)
        if i % 4 == 3:
            AnnotationTask.objects.filter(pk=task.pk).update(purpose="gold", gold=said(1))
        for j, user in enumerate(people):
            Annotation.objects.create(
                task=task,
                user=user,
                payload=said(0 if j == 1 and i % 3 == 0 else 1),
                submit_key=uuid.uuid4(),
                seconds=12,
                step_seconds={"0": 3, "1": 5},
                guideline_version=version,
            )
    for user in people:
        DayCount.objects.create(
            project=project,
            user=user,
            day=Annotation.objects.first().created_at.date(),
            answers=12,
            seconds=144,
        )
    search_fill()
    return project


def said(first):
    return {
        "marks": [1] * first + [-1] + [None] * (2 - first),
        "first_error": first,
        "verdict": "wrong",
        "comments": {str(first): "a quince, not a plum"},
    }


@pytest.fixture
def lead(project, signed_in):
    lead = make.member_make(project, username="lead", role=Role.LEAD)
    signed_in(lead)
    return lead


def test_every_page_everywhere(page, live_server, project, lead, everywhere):
    ada = project.memberships.get(user__username="ada").user
    addresses = [
        reverse("people", args=["here"]),
        reverse("person", args=["here", ada.pk]),
        reverse("me", args=["here"]),
        reverse("agreement", args=["here"]),
        reverse("agreement", args=["here"]) + "?kind=preference",
        reverse("tasks", args=["here"]) + "?q=plums&outcome=answered",
        reverse("tasks", args=["here"]) + "?q=nothing+like+it",
        reverse("guidelines", args=["here"]),
        reverse("guidelines_write", args=["here"]),
        reverse("guidelines_diff", args=["here"]),
    ]
    problems = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    for address in addresses:
        page.goto(live_server.url + address)
        page.evaluate("document.querySelectorAll('main details').forEach((d) => { d.open = true; })")
        problems += everywhere(page, address)
    assert problems == []


def test_searching_by_keyboard(page, live_server, project, lead):
    page.goto(f"{live_server.url}/projects/here/")
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_url(re.compile("/tasks/$"))
    expect(page.locator(".tasks-table tbody tr")).to_have_count(12)
    page.wait_for_load_state()  # the rows are there before the scripts that read the keys
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type('"plums 7"')
    page.keyboard.press("Enter")
    expect(page.locator(".tasks-table tbody tr")).to_have_count(1)
    expect(page.locator("mark").first).to_have_text("plums")
    page.keyboard.press("/")
    page.keyboard.press("Control+A")
    page.keyboard.type("quince")  # said in a comment
    page.keyboard.press("Enter")
    expect(page.locator(".tasks-table tbody tr")).to_have_count(12)
    summary = page.locator(".task-filters summary")
    page.keyboard.press("/")
    for _ in range(5):
        page.keyboard.press("Tab")
        if summary.evaluate("e => e === document.activeElement"):
            break
    expect(summary).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator("#purpose")).to_be_focused()
    page.keyboard.type("Gold")
    page.get_by_role("button", name="Apply").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/tasks/\?q=quince&purpose=gold$"))  # nothing empty: fit to share
    expect(page.locator(".tasks-table tbody tr")).to_have_count(3)
    expect(page.locator("#purpose")).to_be_visible()  # filters in use stay open


def test_guidelines_by_keyboard(page, live_server, project, lead):
    page.goto(f"{live_server.url}/projects/here/guidelines/")
    expect(page.locator(".katex").first).to_be_visible()
    page.keyboard.press("r")
    expect(page.get_by_text("You have read this version")).to_be_visible()
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("/write/$"))
    page.locator("#id_text").focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("\n\nBe **kind**.")
    page.keyboard.press("Tab")  # the first example: step, mark, why
    expect(page.locator("#id_e-0-text")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.type("1 km = 100 m")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("It is 1000 m.")
    page.get_by_role("button", name="Preview").focus()
    page.keyboard.press("Enter")
    preview = page.locator("#preview")
    expect(preview.locator("strong")).to_have_text("kind")
    expect(preview.locator(".worked li")).to_have_count(2)
    assert GuidelineVersion.objects.count() == 2
    page.get_by_role("button", name="Save as version 3").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("v3")
    assert GuidelineVersion.objects.get(number=3).examples[1] == {
        "text": "1 km = 100 m",
        "mark": -1,
        "why": "It is 1000 m.",
    }
    page.keyboard.press("d")
    expect(page.locator(".changes .new").first).to_be_visible()
    expect(page.locator(".changes ins b").filter(has_text="Be **kind**.")).to_be_visible()


def test_people_by_keyboard(page, live_server, project, lead):
    page.goto(f"{live_server.url}/projects/here/")
    page.keyboard.press("g")
    page.keyboard.press("u")
    expect(page.locator("h1")).to_have_text("People")
    page.get_by_role("link", name="Agreement").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Agreement")
    twin = page.locator("summary", has_text="The same as a table").first
    twin.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("cell", name="ada, bob")).to_be_visible()
