"""Every page in Chromium: accessible in both themes and at both widths, usable by keyboard, live."""

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests import factories as make
from tests.stories import past_make
from webapp.iterations.models import Iteration, WorkUnit
from webapp.projects.models import Role
from webapp.registry.services import model_register

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = [
    ("home", []),
    ("project", ["here"]),
    ("prompts", ["here"]),
    ("prompt", ["here", "prompt"]),
    ("prompts_import", ["here"]),
    ("iterations", ["here"]),
    ("iteration_start", ["here"]),
    ("iteration", ["here", 1]),
    ("iteration", ["here", 3]),
    ("models", ["here"]),
    ("model", ["here", 2]),
    ("champion_change", ["here", 1, "roll-back"]),
    ("members", ["here"]),
    ("guidelines", ["here"]),
    ("project", ["bare"]),
    ("prompts", ["bare"]),
    ("iterations", ["bare"]),
    ("models", ["bare"]),
]


@pytest.fixture
def past(signed_in):
    past = past_make()
    past.project.slug = "here"
    past.project.save()
    bare = make.project_make(slug="bare", name="A project with a name that is rather long for its menu")
    boss = make.member_make(past.project, role=Role.ADMIN)
    boss.is_superuser = True
    boss.save()
    make.member_make(bare)
    signed_in(boss)
    return past


def address_of(live_server, past, name, arguments):
    known = {"prompt": past.heldout[0].pk}
    return live_server.url + reverse(name, args=[known.get(a, a) for a in arguments]) + "?all=1"


def test_every_page_everywhere_and_nothing_asked_of_another_host(page, live_server, past, everywhere):
    problems, hosts = [], set()
    page.on("console", lambda m: problems.append(m.text) if "Content Security" in m.text else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: hosts.add(re.match(r"\w+://[^/]+", request.url).group()))
    for name, arguments in PAGES:
        page.goto(address_of(live_server, past, name, arguments))
        problems += everywhere(page, f"{name} {arguments}")
    assert problems == []
    assert hosts == {live_server.url}


def test_the_sign_in_page_is_accessible_too(page, live_server, axe):
    page.goto(f"{live_server.url}/sign-in/")
    assert axe(page) == []
    expect(page.locator("[name=username]")).to_be_focused()


def test_by_keyboard_alone(page, live_server, past):
    page.goto(f"{live_server.url}/projects/here/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("i")
    expect(page).to_have_url(re.compile("/iterations/$"))
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).not_to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page).to_have_url(re.compile("/prompts/$"))
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("heldout story 3")
    page.keyboard.press("Enter")
    expect(page.locator(".prompts-table tbody tr")).to_have_count(1)


def test_every_control_can_be_reached_with_tab(page, live_server, past):
    page.goto(f"{live_server.url}/projects/here/iterations/3/")
    wanted = page.locator('#live a, #live button, #live [tabindex="0"]').count()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "document.activeElement.closest('#live') && document.activeElement.textContent.trim()"
        )
        if name:
            reached.add(name)
            ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none", f"{name} shows no focus"
    assert len(reached) == wanted


def test_the_theme_is_remembered(page, live_server, past):
    page.emulate_media(color_scheme="light")
    page.goto(f"{live_server.url}/projects/here/")
    toggle = page.locator("[data-theme-toggle]")
    toggle.click()
    toggle.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).colorScheme") in ("dark", "normal")


@pytest.mark.own_context
def test_a_running_iteration_refreshes_itself_and_ends_by_itself(page, live_server, past):
    """This server has no event stream, so the page falls back to looking."""
    iteration = past.waiting
    Iteration.objects.filter(pk=iteration.pk).update(stage="generate", status="running")
    unit = WorkUnit.objects.create(
        project=past.project, iteration=iteration, stage="generate", kind="generate", queue="model",
        state="running", done=10, total=100,
    )  # fmt: skip
    page.clock.install()
    page.goto(f"{live_server.url}/projects/here/iterations/3/")
    expect(page.locator(".work")).to_contain_text("10 / 100 prompts")
    page.locator("button", has_text="Pause").focus()
    WorkUnit.objects.filter(pk=unit.pk).update(done=60)
    page.clock.run_for(6000)
    expect(page.locator(".work")).to_contain_text("60 / 100 prompts")
    expect(page.locator("button", has_text="Pause")).to_be_focused()  # a refresh takes nothing away
    Iteration.objects.filter(pk=iteration.pk).update(stage="done", status="done")
    page.clock.run_for(6000)
    expect(page.locator("[data-live]")).to_have_count(0)


@pytest.mark.own_context
def test_a_model_page_follows_a_merge_to_its_download(page, live_server, past):
    payload = {"version_id": past.better.pk, "dtype": "float32"}
    unit = WorkUnit.objects.create(
        project=past.project, stage="done", kind="export", queue="light", payload=payload
    )
    page.clock.install()
    page.goto(f"{live_server.url}/projects/here/models/2/")
    expect(page.get_by_text("A worker merges base and adapter")).to_be_visible()
    WorkUnit.objects.filter(pk=unit.pk).update(
        state="done", result={"sha": "abc", "bytes": 9, "dtype": "float32"}
    )
    page.clock.run_for(6000)
    expect(page.get_by_role("link", name="Download the merged model")).to_be_visible()


@pytest.mark.own_context
def test_a_comparison_follows_its_measuring(page, live_server, past, axe):
    other = model_register(project=past.project, parent=past.base)
    page.clock.install()
    page.goto(f"{live_server.url}/projects/here/models/compare/?a=2&b={other.number}")
    page.get_by_role("button", name="Measure both on the same prompts").click()
    expect(page.get_by_role("heading", name="Both are being measured")).to_be_visible()
    assert axe(page) == []
    WorkUnit.objects.filter(kind="evaluate", iteration=None).update(state="failed", error="No room.")
    page.clock.run_for(6000)
    expect(page.get_by_role("alert")).to_contain_text("No room.")


def test_import_by_upload(page, live_server, past, tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_text(
        '{"question": "One and one?", "answer": "#### 2"}\n{"question": "Two and one?", "answer": "3"}\n'
    )
    page.goto(f"{live_server.url}/projects/here/prompts/import/")
    page.locator("[name=file]").set_input_files(file)
    page.locator("[name=text_field]").fill("question")
    page.locator("[name=reference_field]").fill("answer")
    page.locator("[name=reference_pattern]").fill("#### (.+)")
    page.locator("button[value=check]").click()
    expect(page.locator("[role=alert]")).to_contain_text("Line 2 of questions.jsonl cannot be used")
    page.locator("[name=reference_pattern]").fill(r"(\d+)")
    page.locator("button[value=check]").click()
    expect(page.locator("#report-title")).to_contain_text("2 of 2 would be imported")
    page.locator("button[value=import]").click()
    expect(page.locator(".messages")).to_contain_text("2 of 2 prompts imported")


def test_a_dangerous_button_asks_first(page, live_server, past):
    page.goto(f"{live_server.url}/projects/here/iterations/3/")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.locator("button", has_text="Cancel").click()
    past.waiting.refresh_from_db()
    assert past.waiting.status == "waiting"
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("button", has_text="Cancel").click()
    expect(page.locator(".messages")).to_contain_text("Cancelled")


def test_pages_work_without_javascript(browser, live_server, past, signed_in):
    context = browser.new_context(java_script_enabled=False)
    signed_in(past.lead, context)
    page = context.new_page()
    page.goto(f"{live_server.url}/projects/here/iterations/3/")
    page.locator("button", has_text="Pause").click()
    expect(page.locator(".messages")).to_contain_text("Paused")
    page.locator("details.menu > summary").first.click()
    page.locator(".menu-list a").first.click()
    expect(page.locator("h1")).to_have_text("Word problems")
    context.close()
