"""Around the marks: kinds, flags, guidelines, gold, the day, mathematics, folding, an answer sent back."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from tests import factories as make
from tests.browser.annotating import STEPS, cursor_at, press
from webapp.annotate import services
from webapp.annotate.models import Annotation, Assignment, Draft, Flag, Queue, ReviewNote
from webapp.projects.models import GuidelineRead, GuidelineVersion

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

KINDS = ["arithmetic", "misread", "unit"]


def opened(page, live_server, signed_in, project, person):
    signed_in(person)
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    expect(cursor_at(page, 0)).to_be_visible()
    return page


@pytest.fixture
def queue(project):
    return Queue.objects.create(project=project, kind="step_critique", error_kinds=KINDS, daily_quota=50)


def test_a_kind_of_error_by_number_and_by_arrows(queue, at_work, tasks):
    page = at_work
    press(page, "t")
    expect(page.locator("#notice")).to_contain_text("Only a step that is marked wrong")
    press(page, "1", "t", "2")
    expect(page.locator(".step-card .badge")).to_have_text("misread")
    expect(cursor_at(page, 0)).to_be_focused()
    press(page, "t", "ArrowDown", "Enter")
    expect(page.locator(".step-card .badge")).to_have_text("unit")
    press(page, "t", "Escape", "t", "0")
    expect(page.locator(".step-card .badge")).to_have_count(0)
    press(page, "u", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Annotation.objects.get().payload["kinds"] == {"0": "unit"}


def test_a_step_rated_good_after_all_has_no_kind(queue, at_work, tasks):
    press(at_work, "1", "t", "1", "3", "a", "Enter")
    expect(at_work.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Annotation.objects.get().payload["kinds"] == {}


def test_the_day_counts_up(queue, at_work, tasks):
    expect(at_work.locator("#today")).to_have_text("0 of 50 today")
    press(at_work, "a", "Enter")
    expect(at_work.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    expect(at_work.locator("#today")).to_have_text("1 of 50 today")


def test_a_flag_leaves_the_item_where_it_is(at_work, tasks):
    page = at_work
    press(page, "3", "f")
    press(page, "Enter")  # a flag without a note tells nobody anything
    expect(page.locator("#reason")).to_be_visible()
    page.keyboard.type("looks like a repeat")
    press(page, "Enter")
    expect(page.locator("#notice")).to_contain_text("Flagged")
    expect(page.locator(".step-card .mark").first).to_have_text("+")
    flag = Flag.objects.get()
    assert (flag.task_id, flag.reason, flag.note) == (tasks[0].pk, "flag", "looks like a repeat")


def test_a_new_version_of_the_guidelines_is_read_once(page, live_server, signed_in, project, tasks, axe):
    person = make.member_make(project)
    newest = GuidelineVersion.objects.create(
        project=project,
        number=2,
        text="Mark the **first** wrong step.",
        examples=[{"text": "2 + 2 = 5", "mark": -1, "why": "It is four."}],
    )
    opened(page, live_server, signed_in, project, person)
    dialog = page.locator("#guidelines")
    expect(dialog).to_contain_text("This version is new to you")
    expect(dialog.locator("strong")).to_have_text("first")
    expect(dialog.locator(".example")).to_contain_text("It is four.")
    assert axe(page) == []
    press(page, "Escape")
    expect(dialog).to_be_visible()
    with page.expect_response("**/read"):
        press(page, "Enter")
    assert GuidelineRead.objects.get(user=person).version_id == newest.pk
    press(page, "a", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    expect(dialog).to_be_hidden()
    press(page, "i")
    expect(dialog).to_be_visible()
    expect(dialog.locator("#guidelines-new")).to_be_hidden()


def test_mathematics_and_code_are_set_and_a_passage_of_them_is_quoted(
    page, live_server, signed_in, project, person
):
    code = "```python\nx = 24\n```"
    make.task_make(make.iteration_make(project), r"So \(x = \frac{120}{2}\) holds", code, "Answer: 60")
    said = []
    page.on("console", lambda message: said.append(message.text))
    opened(page, live_server, signed_in, project, person)
    expect(page.locator(".step-card").first.locator(".katex .mfrac").first).to_be_visible()
    expect(page.locator(".step-card .hl-n").first).to_have_text("x")
    press(page, "w", "Enter")
    expect(page.locator(".passage-quote")).to_have_text("So")
    expect(page.locator(".step-card").first.locator(".katex").first).to_be_visible()
    assert [line for line in said if "Content Security" in line] == []


def test_no_mathematics_no_katex(at_work):
    assert at_work.locator("script[src*=katex]").count() == 0


def test_a_long_step_is_folded(page, live_server, signed_in, project, person):
    task = make.task_make(make.iteration_make(project), "We start from what is given. " * 60, "Answer: 60")
    task.prompt.text = "\n".join(["One more line of the story."] * 30)
    task.prompt.save()
    opened(page, live_server, signed_in, project, person)
    expect(page.locator(".folded")).to_have_count(2)
    press(page, "o")
    expect(page.locator(".step-text.folded")).to_have_count(0)
    press(page, "p")
    expect(page.locator(".folded")).to_have_count(0)
    press(page, "o", "p")
    expect(page.locator(".folded")).to_have_count(2)


@pytest.fixture
def sent_back(project, tasks, person):
    claim = services.assignment_claim(user=person, project=project)
    payload = {"marks": [1, 1, 1, 1], "verdict": "right"}
    answer = services.annotation_submit(
        user=person, assignment_token=claim.token, submit_key=uuid.uuid4(), payload=payload
    )
    Annotation.objects.filter(pk=answer.pk).update(state="sent_back")
    lead = make.member_make(project, role="lead", username="ada")
    ReviewNote.objects.create(
        annotation=answer, author=lead, action="sent_back", text="Look at step 2 again."
    )
    return answer


@pytest.fixture
def reopened(page, live_server, signed_in, project, person, sent_back):
    signed_in(person)
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/answers/{sent_back.pk}/")
    expect(page.locator(".step-card .mark").first).to_have_text("+")
    return page


def test_an_answer_that_was_sent_back_is_revised(reopened, sent_back, axe):
    page = reopened
    expect(page.locator(".returned").first).to_contain_text("ada: Look at step 2 again.")
    assert axe(page) == []
    press(page, "j", "e")
    page.keyboard.type("24 + 36 = 60")
    press(page, "Enter")
    expect(page.locator("#saved")).to_contain_text("kept in this browser")
    page.reload()
    expect(page.locator(".step-card .diff ins")).to_have_text("60")
    press(page, "Enter")
    expect(page).to_have_url(re.compile("/annotate/answers/$"))
    sent_back.refresh_from_db()
    assert (sent_back.revision, sent_back.state) == (2, "submitted")
    assert sent_back.payload["corrections"] == {"1": "24 + 36 = 60"}
    assert sent_back.payload["verdict"] == "wrong"  # it followed the marks before, and still does
    assert sent_back.revisions.count() == 2
    assert Draft.objects.count() == 0


@pytest.fixture
def changed_meanwhile(reopened, sent_back):
    """Saving meets a newer version from elsewhere."""
    newer = {**sent_back.payload, "comments": {"0": "added elsewhere"}}
    services.annotation_revise(
        user=sent_back.user, pk=sent_back.pk, payload=newer, outcome="answered", revision=1
    )
    press(reopened, "j", "1", "Enter")
    expect(reopened.locator("#conflict")).to_be_visible()
    return reopened


def test_a_revision_never_overwrites_a_newer_one(changed_meanwhile, sent_back):
    page = changed_meanwhile
    expect(page.locator("#conflict .differs").first.locator("td").nth(1)).to_contain_text("added elsewhere")
    press(page, "Enter")  # keep mine
    expect(page.locator("#conflict")).to_be_hidden()
    press(page, "Enter")  # save
    expect(page).to_have_url(re.compile("/annotate/answers/$"))
    sent_back.refresh_from_db()
    assert (sent_back.revision, sent_back.payload["first_error"]) == (3, 1)


def test_saving_right_after_the_choice_saves(changed_meanwhile, sent_back):
    page = changed_meanwhile
    # Before the browser tells that the dialog has closed; Playwright's own keys come too late for that.
    page.evaluate("""async () => {
        document.querySelector("#conflict button[value=mine]").click();
        for (let turn = 0; turn < 9; turn += 1) await null;
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    }""")
    expect(page).to_have_url(re.compile("/annotate/answers/$"))
    sent_back.refresh_from_db()
    assert (sent_back.revision, sent_back.payload["first_error"]) == (3, 1)


def test_another_persons_answer_is_not_opened(page, live_server, signed_in, project, sent_back):
    signed_in(make.member_make(project))
    reply = page.goto(f"{live_server.url}/projects/{project.slug}/annotate/answers/{sent_back.pk}/")
    assert reply.status == 404


def test_how_a_gold_item_went_is_told_where_the_queue_says_so(at_work, tasks):
    page = at_work
    reply = {
        "annotation": 1,
        "revision": 1,
        "outcome": "answered",
        "today": {"answers": 1, "quota": None},
        "gold": {"agrees": False, "expected": {}, "words": "The first error is step 2."},
    }

    def told(route):
        route.fetch()
        route.fulfill(json=reply)

    page.route("**/submit", told, times=1)
    press(page, "a", "Enter")
    expect(page.locator("#gold")).to_contain_text("The first error is step 2.")
    press(page, "a", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[2].prompt.text)
    expect(page.locator("#gold")).to_be_hidden()


def test_the_sheet_of_a_phone(at_work, tasks):
    page = at_work
    page.set_viewport_size({"width": 390, "height": 800})
    expect(page.locator("#comment")).to_be_hidden()
    page.locator("[data-mark='1']").click()
    expect(cursor_at(page, 1)).to_be_visible()
    press(page, "c")
    expect(page.locator("#comment")).to_be_focused()
    page.keyboard.type("hm")
    press(page, "Enter")
    expect(page.locator("#comment")).to_be_hidden()
    for button in page.locator(".rate-button, .annotate-foot .button").all():
        assert button.bounding_box()["height"] >= 44
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator(".rate-button").first.is_visible()
    press(page, "m")
    expect(page.locator("#comment")).to_be_visible()


def test_time_goes_to_the_step_it_was_spent_on(at_work, tasks):
    page = at_work
    page.wait_for_load_state("networkidle")
    press(page, "4", "k", "3", "3", "o", "a", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    answer = Annotation.objects.get()
    assert set(answer.step_seconds) == {"0", "1", "2"}
    assert answer.seconds == pytest.approx(sum(answer.step_seconds.values()), abs=0.02)
    assert answer.shown == Assignment.objects.get(task=tasks[0]).shown
    assert answer.payload["marks"] == [1] * len(STEPS)
