"""Step critique by keyboard alone: judge, correct, submit, and the next item is there. Nothing is lost."""

import re

import pytest
from playwright.sync_api import expect

from loop.records import Mark
from tests import factories as make
from webapp.annotate.models import Annotation, Assignment, Draft
from webapp.traces.models import Critique

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

STEPS = ("3 * 12 = 36", "24 + 36 = 50", "50 - 15 = 35", "Answer: 35")


@pytest.fixture
def project():
    project = make.project_make(name="Word problems")
    make.guidelines_make(project)
    return project


@pytest.fixture
def tasks(project):
    iteration = make.iteration_make(project)
    tasks = [make.task_make(iteration, *STEPS, priority=1 - n / 10, show_reference=True) for n in range(3)]
    for task in tasks:
        make.model_critique_make(task.response, marks=[1, 1, 1, 1], first_error=None, comments={})
    return tasks


@pytest.fixture
def person(project):
    return make.member_make(project)


@pytest.fixture
def at_work(page, live_server, signed_in, project, tasks, person):
    signed_in(person)
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    expect(page.locator(".step-card[aria-current=step]")).to_contain_text(STEPS[0])
    return page


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_first_error_correction_comment_submit_next(at_work, tasks):
    page = at_work
    page.evaluate("window.samePage = true")
    first = tasks[0].prompt.text
    expect(page.locator("[data-slot=prompt]").first).to_have_text(first)
    press(page, "3", "b")
    expect(page.locator(".step-card.after")).to_have_count(2)
    expect(page.locator(".step-card.first .flag")).to_have_text("first error")
    press(page, "e")
    page.keyboard.type("24 + 36 = 60")
    press(page, "Enter", "c")
    page.keyboard.type("Off by ten")
    press(page, "Enter", "q", "q", "q", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(
        tasks[1].prompt.text
    )  # no page load between
    critique = Critique.objects.get(author_kind="person").record()
    assert critique.marks == (Mark.GOOD, Mark.WRONG, None, None)
    assert (critique.first_error, critique.verdict) == (1, "wrong")
    assert critique.corrections == {1: "24 + 36 = 60"}
    assert critique.comments == {1: "Off by ten"}
    made = Annotation.objects.get()
    assert made.payload["confidence"] == 3
    assert made.seconds > 0
    assert set(made.step_seconds) == {"0", "1"}


def test_all_good_in_two_keys(at_work, tasks):
    press(at_work, "a", "Enter")
    expect(at_work.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Critique.objects.get(author_kind="person").marks == [1, 1, 1, 1]


def test_enter_says_what_is_missing_and_goes_there(at_work):
    press(at_work, "3", "j", "3", "k", "k", "Enter")
    expect(at_work.locator("#notice")).to_contain_text("Step 2 is not rated yet")
    expect(at_work.locator(".step-card[aria-current=step]")).to_contain_text(STEPS[1])
    assert Annotation.objects.count() == 0


def test_what_follows_the_first_error_stays_unjudged_and_undo_reopens_it(at_work):
    page = at_work
    press(page, "3", "1", "j", "3")
    expect(page.locator("#notice")).to_contain_text("Step 2 is the first error, so step 3 stays unjudged")
    press(page, "u", "u")
    expect(page.locator(".step-card.after")).to_have_count(0)
    expect(page.locator(".step-card").first.locator(".mark")).to_have_text("+")


def test_draft_is_on_the_server_within_a_second_and_survives_reload(at_work):
    page = at_work
    press(page, "3", "2", "c")
    page.keyboard.type("hm")
    with page.expect_response(re.compile("/draft$"), timeout=1500):
        pass
    expect(page.locator("#saved")).to_contain_text("saved")
    assert Draft.objects.get().payload["marks"] == [1, 0, None, None]
    page.evaluate("localStorage.clear()")
    page.reload()
    expect(page.locator(".step-card .mark").nth(1)).to_have_text("0")
    expect(page.locator("textarea[name=comment-2]")).to_have_value("hm")


def test_offline_work_is_kept_and_sent_once(at_work, tasks, context):
    page = at_work
    page.wait_for_load_state("networkidle")  # the next item has been fetched
    context.set_offline(True)
    press(page, "a", "Enter")
    expect(page.locator("#notice")).to_contain_text("cannot be reached")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Annotation.objects.count() == 0
    context.set_offline(False)
    expect(page.locator("#notice")).to_be_hidden()
    page.wait_for_function(
        "localStorage.getItem(Object.keys(localStorage).find(k => k.endsWith('outbox'))) === '[]'"
    )
    assert Annotation.objects.get().task_id == tasks[0].pk


def test_an_unsent_answer_goes_out_after_a_reload(at_work, tasks, context):
    page = at_work
    page.route(re.compile("/submit$"), lambda route: route.abort())
    press(page, "a", "Enter")
    expect(page.locator("#notice")).to_contain_text("cannot be reached")
    page.unroute(re.compile("/submit$"))
    page.reload()
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Annotation.objects.get().task_id == tasks[0].pk


def test_a_lost_reply_makes_no_second_answer(at_work, tasks):
    page = at_work

    def lose(route):
        route.fetch()  # the server hears it
        route.abort()  # the browser never learns

    page.route(re.compile("/submit$"), lose, times=1)
    press(page, "a", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    expect(page.locator("#notice")).to_be_hidden(timeout=8000)  # the repeat was taken
    assert Annotation.objects.count() == 1


def test_skip_and_set_aside_with_a_reason(at_work, tasks):
    page = at_work
    press(page, "s")
    page.keyboard.type("not my field")
    press(page, "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Assignment.objects.get(task=tasks[0]).skip_reason == "not my field"
    press(page, "x")
    page.keyboard.type("vague")
    press(page, "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[2].prompt.text)
    assert Annotation.objects.get(task=tasks[1]).outcome == "bad_problem"
    press(page, "g", "Enter")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    assert Annotation.objects.get(task=tasks[2]).outcome == "give_up"


def test_another_window_is_never_overwritten(at_work, person):
    page = at_work
    page.wait_for_load_state("networkidle")
    claim = Assignment.objects.get(user=person, task__priority=1.0)
    theirs = {
        "marks": [0, None, None, None],
        "first_error": None,
        "comments": {},
        "corrections": {},
        "cursor": 0,
    }
    Draft.objects.create(assignment=claim, payload={**theirs, "verdict": "", "confidence": None})
    press(page, "3")
    expect(page.locator("#notice")).to_contain_text("changed in another window")
    page.get_by_role("button", name="Take the other version").press("Enter")
    expect(page.locator(".step-card .mark").first).to_have_text("0")


def test_untrusted_text_stays_text(page, live_server, signed_in, project):
    iteration = make.iteration_make(project)
    make.task_make(iteration, "<img src=x onerror=alert(1)>", "<script>alert(2)</script>")
    signed_in(make.member_make(project))
    page.on("dialog", lambda dialog: pytest.fail(f"script ran: {dialog.message}"))
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    expect(page.locator(".step-card").first).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("#stage img").count() == 0


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_accessible_and_nothing_sticks_out(at_work, axe, scheme, width):
    page = at_work
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    press(page, "3", "e", "Enter", "c", "Enter")
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    press(page, "?")
    expect(page.locator("#keys")).to_be_visible()
    assert axe(page) == []


def test_works_without_javascript(browser, live_server, signed_in, project, tasks, person):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    signed_in(person, context)
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    page.locator("[name=mark-0][value='1']").check(force=True)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Step 2 is not rated yet.")).to_be_visible()
    expect(page.locator("[name=mark-0][value='1']")).to_be_checked()  # kept
    page.locator("[name=mark-1][value='-1']").check(force=True)
    page.locator("[name=correction-1]").fill("24 + 36 = 60")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Submitted.")).to_be_visible()
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    critique = Critique.objects.get(author_kind="person")
    assert (critique.marks, critique.first_error, critique.verdict) == ([1, -1, None, None], 1, "wrong")
    context.close()
