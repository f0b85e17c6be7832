"""The lead at work, by keyboard alone: adjudicate, send back and accept, resolve; and how the pages stand."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.models import Adjudication, Annotation, Flag
from webapp.projects.models import Role

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

STEPS = ("3 * 12 = 36", "24 + 36 = 50", "50 - 15 = 35", "Answer: 35")
FIRST = {
    "marks": [1, -1, None, None],
    "first_error": 1,
    "verdict": "wrong",
    "corrections": {"1": "24 + 36 = 60"},
    "comments": {"1": "Off by ten"},
    "confidence": 4,
}
RIGHT = {"marks": [1, 1, 1, 1], "first_error": None, "verdict": "right"}


@pytest.fixture
def project():
    project = make.project_make(name="Word problems", slug="words")
    make.guidelines_make(project)
    return project


@pytest.fixture
def lead(project):
    return make.member_make(project, role=Role.LEAD, username="lea")


def answer(project, payload, name, **values):
    user = make.member_make(project, username=name)
    claim = services.assignment_claim(user=user, project=project)
    return services.annotation_submit(
        user=user,
        assignment_token=claim.token,
        payload=payload,
        submit_key=uuid.uuid4(),
        seconds=14.2,
        **values,
    )


@pytest.fixture
def work(project):
    """One disputed task, one with a single answer, one set aside."""
    iteration = make.iteration_make(project)
    tasks = [make.task_make(iteration, *STEPS, overlap=2, priority=3)]
    make.model_critique_make(
        tasks[0].response, marks=[1, 1, -1, None], first_error=2, comments={"2": "Check it."}
    )
    made = [answer(project, FIRST, "ann"), answer(project, RIGHT, "bob")]
    tasks.append(make.task_make(iteration, *STEPS, priority=2))
    made.append(answer(project, FIRST, "cyd"))
    tasks.append(make.task_make(iteration, *STEPS, priority=1))
    made.append(answer(project, {"reason": "Two answers fit."}, "dan", outcome="bad_problem"))
    return tasks, made


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


@pytest.fixture
def reviewing(page, live_server, signed_in, project, lead, work):
    signed_in(lead)
    page.goto(f"{live_server.url}/projects/words/review/")
    press(page, "o")
    expect(page.locator(".review-step[aria-current]")).to_contain_text(STEPS[1])  # the first disputed step
    return page


def test_taking_an_answer_as_the_final_word_and_on_to_the_next(reviewing, work):
    page = reviewing
    press(page, "j")
    expect(page.locator(".review-step[aria-current]")).to_contain_text(STEPS[2])
    press(page, "p", "1")
    expect(page.locator(".vote").first.locator("input[name=word]")).to_be_checked()
    press(page, "Enter")
    expect(page.locator(".review-bar")).to_contain_text(f"#{work[0][1].pk}")
    made = Adjudication.objects.get()
    assert (made.payload["first_error"], made.based_on) == (1, work[1][0])


def test_editing_an_answer_into_a_final_one(reviewing, work):
    page = reviewing
    expect(page.locator(".final-fields").first).to_be_hidden()
    press(page, "1", "e")
    expect(page.locator(".final-fields").first).to_be_visible()
    expect(page.locator("#correction-1")).to_have_value("24 + 36 = 60")
    press(page, "k", "2")  # the first step: neutral; the cursor goes on
    expect(page.locator(".review-step[aria-current]")).to_contain_text(STEPS[1])
    press(page, "e")
    page.keyboard.type("36 + 24 = 60")
    press(page, "Enter", "c")
    page.keyboard.type("The sum is 60")
    press(page, "Enter", "Enter")
    expect(page.locator(".messages")).to_contain_text("has its final word")
    word = Adjudication.objects.get().payload
    assert (word["marks"], word["corrections"]) == ([0, -1, None, None], {"1": "36 + 24 = 60"})
    assert word["comments"] == {"1": "The sum is 60"}


def test_a_refused_word_keeps_what_was_typed(reviewing):
    page = reviewing
    press(page, "2", "e", "k", "3", "1", "e")
    page.keyboard.type(STEPS[1])  # the same as the step: refused
    press(page, "Enter", "Enter")
    expect(page.locator(".messages")).to_contain_text("same as the step")
    expect(page.locator("#correction-1")).to_have_value(STEPS[1])
    expect(page.locator("#word-edit")).to_be_checked()
    assert not Adjudication.objects.exists()


def test_send_back_revise_accept(reviewing, work, live_server, browser, signed_in):
    page = reviewing
    press(page, "1", "s")
    expect(page.locator("#send-back")).to_be_visible()
    page.keyboard.type("What is 24 + 36?")
    press(page, "Enter")
    expect(page.locator(".messages")).to_contain_text("Sent back")
    assert Annotation.objects.get(user__username="ann").state == "sent_back"

    context = browser.new_context()
    signed_in(work[1][0].user, context)
    theirs = context.new_page()
    theirs.goto(f"{live_server.url}/projects/words/annotate/answers/")
    expect(theirs.locator(".banner")).to_contain_text("1 answer was sent back")
    expect(theirs.locator(".answer-card").first).to_contain_text("What is 24 + 36?")
    press(theirs, "o")
    expect(theirs).to_have_url(re.compile(r"/annotate/answers/\d+/$"))
    expect(theirs.locator(".step-card").first).to_be_visible()
    context.close()
    services.annotation_revise(
        user=work[1][0].user, pk=work[1][0].pk, payload=RIGHT, outcome="answered", revision=1
    )

    page.goto(f"{live_server.url}/projects/words/review/{work[0][0].pk}/")
    expect(page.locator(".vote").first).to_contain_text("version 2")
    press(page, "1", "a")
    expect(page.locator(".messages")).to_contain_text("Accepted")
    assert Annotation.objects.get(user__username="ann").state == "accepted"


def test_reject_and_move_between_tasks(reviewing, work):
    page = reviewing
    press(page, "l")
    expect(page.locator(".review-bar")).to_contain_text(f"#{work[0][1].pk}")
    press(page, "h")
    expect(page.locator(".review-bar")).to_contain_text(f"#{work[0][0].pk}")
    press(page, "2", "x")
    expect(page.locator(".messages")).to_contain_text("Rejected")
    assert Annotation.objects.get(user__username="bob").state == "rejected"


def test_bulk_accept_asks_with_the_number(page, live_server, signed_in, lead, work):
    signed_in(lead)
    page.goto(f"{live_server.url}/projects/words/review/")
    asked = []

    def agree(dialog):
        asked.append(dialog.message)
        dialog.accept()

    page.on("dialog", agree)
    page.locator("[data-tick-all]").focus()
    press(page, "Space")
    page.get_by_role("button", name=re.compile("Accept the ticked")).focus()
    press(page, "Enter")
    expect(page.locator(".messages")).to_contain_text("2 answers accepted")
    assert asked == ["Accept the answers of 2 ticked tasks?"]


def test_resolving_in_the_inbox(page, live_server, signed_in, lead, work):
    signed_in(lead)
    page.goto(f"{live_server.url}/projects/words/")
    expect(page.locator(".site-nav .badge")).to_contain_text("1")
    press(page, "g", "b")
    expect(page).to_have_url(re.compile("/inbox/$"))
    expect(page.locator("[data-flag]").first).to_be_focused()
    press(page, "e")
    page.keyboard.type("Reworded the prompt")
    press(page, "Enter")
    expect(page.locator(".messages")).to_contain_text("Resolved")
    assert Flag.objects.get().resolution == "Reworded the prompt"
    press(page, "g", "q")
    expect(page).to_have_url(re.compile("/queues/$"))
    press(page, "g", "r")
    expect(page).to_have_url(re.compile("/review/$"))


def test_every_page_everywhere(page, live_server, signed_in, lead, work, everywhere):
    tasks, made = work
    services.adjudicate(by=lead, task=tasks[1], payload=FIRST, note="So it is.")
    iteration = tasks[0].iteration
    pair = make.preference_task_make(iteration, "Answer: 4", "Answer: 5")
    services.flag_raise(user=made[2].user, token=made[2].assignment.token, note="Is this in scope?")
    lead.is_superuser = True
    lead.save()
    signed_in(lead)
    problems = []
    page.on("console", lambda m: problems.append(m.text) if "Content Security" in m.text else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    addresses = [
        "review/",
        "review/?state=done",
        f"review/{tasks[0].pk}/",
        f"review/{tasks[1].pk}/",
        f"review/{pair.pk}/",
        "inbox/",
        "queues/",
        "queues/step_critique/",
        "annotate/answers/",
        f"annotate/answers/{made[0].pk}/history/",
        f"tasks/{tasks[0].pk}/",
        f"tasks/{tasks[1].pk}/",
    ]
    for address in addresses:
        page.goto(f"{live_server.url}/projects/words/{address}")
        if address == f"review/{tasks[0].pk}/":
            press(page, "1", "e")
        problems += everywhere(page, address)
    assert problems == []
