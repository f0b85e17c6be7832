"""Step critique by keyboard alone: judge, correct, submit, and the next item is there."""

import pytest
from playwright.sync_api import expect

from loop.records import Mark
from tests import factories as make
from tests.browser.annotating import STEPS, cursor_at, press
from webapp.accounts.services import comfort_save
from webapp.annotate.models import Annotation, Assignment
from webapp.traces.models import Critique

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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


def test_unsure_counts_as_rated_and_is_no_mark(at_work, tasks):
    page = at_work
    press(page, "3", "4", "/", "3", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    answer = Annotation.objects.get().payload
    assert (answer["marks"], answer["unsure"], answer["verdict"]) == ([1, None, None, 1], [1, 2], "unknown")


def test_a_judgement_can_be_taken_back(at_work):
    page = at_work
    press(page, "3", "k", "0")
    expect(page.locator(".step-card .mark").first).to_have_text("·")
    expect(page.locator("[data-slot=progress]")).to_have_text("0 of 4 steps rated")


def test_next_unrated_wraps_around(at_work):
    page = at_work
    press(page, "j", "3", "3", "n")
    expect(cursor_at(page, 0)).to_be_visible()
    press(page, "3", "n")
    expect(cursor_at(page, 3)).to_be_visible()


def test_undo_and_redo_bring_state_and_cursor(at_work):
    page = at_work
    press(page, "3", "2", "u")
    expect(page.locator(".step-card .mark").nth(1)).to_have_text("·")
    expect(cursor_at(page, 1)).to_be_visible()
    press(page, "U")
    expect(page.locator(".step-card .mark").nth(1)).to_have_text("0")
    press(page, "U")
    expect(page.locator("#notice")).to_contain_text("Nothing to redo")
    press(page, "Control+z", "Control+z")
    expect(page.locator(".step-card .mark").first).to_have_text("·")
    press(page, "Control+y", "1", "U")  # a new act ends what could be redone
    expect(page.locator("#notice")).to_contain_text("Nothing to redo")


def test_a_visit_to_a_field_is_one_step_of_undo(at_work):
    page = at_work
    press(page, "c")
    page.keyboard.type("first words")
    press(page, "Escape", "u")
    expect(page.locator(".note-comment")).to_have_count(0)
    press(page, "U")
    expect(page.locator(".note-comment")).to_have_text("first words")


def test_the_correction_is_shown_word_by_word(at_work, tasks):
    page = at_work
    press(page, "j", "e")
    expect(page.locator("#correction")).to_have_value(STEPS[1])
    page.keyboard.type("24 + 36 = 60")
    expect(page.locator(".panel .diff del")).to_have_text(["50"])
    expect(page.locator(".panel .diff ins")).to_have_text(["60"])
    press(page, "Enter")
    expect(page.locator(".step-card .diff ins")).to_have_text(["60"])
    press(page, "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    answer = Annotation.objects.get().payload
    assert answer["marks"] == [1, -1, None, None]
    assert answer["corrections"] == {"1": "24 + 36 = 60"}


def test_a_correction_that_changes_nothing_is_none(at_work, tasks):
    press(at_work, "j", "e", "Enter", "Enter")
    expect(at_work.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Annotation.objects.get().payload["corrections"] == {}


def test_a_wrong_passage_by_words(at_work, tasks):
    page = at_work
    press(page, "j", "w", "End", "Shift+ArrowLeft")
    expect(page.locator(".step-card mark.chosen")).to_have_text("= 50")
    press(page, "ArrowRight", "Enter")
    expect(page.locator(".step-card mark.passage")).to_have_text("50")
    press(page, "w", "Enter", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    answer = Annotation.objects.get().payload
    assert answer["spans"] == {"1": [[0, 2], [10, 12]]}
    assert answer["first_error"] == 1


def test_a_passage_is_left_or_unmarked(at_work):
    page = at_work
    press(page, "w", "Escape")
    expect(page.locator(".step-card mark")).to_have_count(0)
    press(page, "w", "Enter", "w", "Backspace")
    expect(page.locator(".step-card mark")).to_have_count(0)


def test_a_passage_by_mouse(at_work, tasks):
    page = at_work
    page.locator(".step-card").nth(1).locator(".step-text").dblclick(position={"x": 6, "y": 14})
    page.locator("[data-slot=mark-selection]").click()
    expect(page.locator(".step-card mark.passage")).to_have_text("24")
    press(page, "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Annotation.objects.get().payload["spans"] == {"1": [[0, 2]]}


def test_passages_are_counted_as_the_server_counts(page, live_server, signed_in, project, person):
    """A character beyond the basic plane is one to the server and two to a script."""
    make.task_make(make.iteration_make(project), "𝑥𝑥 𝑦 wrong", "Answer: 1")
    signed_in(person)
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    expect(cursor_at(page, 0)).to_be_visible()
    press(page, "w", "End", "Enter", "Enter")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    assert Annotation.objects.get().payload["spans"] == {"0": [[5, 10]]}


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
    press(page, "3", "d")
    page.keyboard.type("two readings")
    press(page, "Enter")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    answer = Annotation.objects.get(task=tasks[2])
    assert (answer.outcome, answer.payload["reason"]) == ("unsure", "two readings")
    assert answer.payload["partial"]["marks"] == [1, None, None, None]


def test_giving_up_needs_no_reason_and_escape_takes_it_back(at_work, tasks):
    page = at_work
    press(page, "g", "Escape", "3")
    expect(page.locator(".step-card .mark").first).to_have_text("+")
    press(page, "g")
    expect(page.locator("#reason-text")).to_be_focused()
    press(page, "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Annotation.objects.get().outcome == "give_up"


def test_a_key_right_after_a_dialog_closed_asks_again(at_work, tasks):
    page = at_work
    press(page, "g")
    # Before the browser tells that the dialog has closed; Playwright's own keys come too late for that.
    page.evaluate("""async () => {
        document.querySelector("#reason button[value=cancel]").click();
        for (let turn = 0; turn < 9; turn += 1) await null;
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "g", bubbles: true }));
    }""")
    press(page, "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Annotation.objects.get().outcome == "give_up"


def test_keys_of_ones_own(at_work, live_server, project, person, tasks):
    page = at_work
    comfort_save(user=person, changes={"keys": {"good": "g", "give_up": "G", "first_error": "F1"}})
    page.reload()
    expect(cursor_at(page, 0)).to_be_visible()
    press(page, "3")  # means nothing any more
    expect(page.locator(".step-card .mark").first).to_have_text("·")
    press(page, "g", "F1", "?")
    expect(page.locator(".step-card.first")).to_contain_text(STEPS[1])
    expect(page.locator("#keys")).to_contain_text("F1 First error here")
    press(page, "Escape", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Annotation.objects.get().payload["marks"] == [1, -1, None, None]


def test_keys_are_changed_on_the_settings_page(page, live_server, signed_in, person):
    signed_in(person)
    page.goto(f"{live_server.url}/settings/")
    page.locator("#key-skip").focus()
    press(page, "b")
    expect(page.locator("#clash")).to_contain_text("b would be both")
    press(page, "Delete")
    expect(page.locator("#key-skip")).to_have_value("s")
    expect(page.locator("#clash")).to_be_hidden()
    press(page, "S")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.locator(".messages")).to_contain_text("Saved")
    person.refresh_from_db()
    assert person.settings == {"keys": {"skip": "S"}}


def test_without_going_on_by_itself(at_work, person):
    page = at_work
    comfort_save(user=person, changes={"advance": False})
    page.reload()
    expect(cursor_at(page, 0)).to_be_visible()
    press(page, "3", "2")
    expect(page.locator(".step-card .mark").first).to_have_text("0")
    expect(cursor_at(page, 0)).to_be_visible()


def test_untrusted_text_stays_text(page, live_server, signed_in, project):
    iteration = make.iteration_make(project)
    make.task_make(iteration, "<img src=x onerror=alert(1)>", "<script>alert(2)</script>")
    signed_in(make.member_make(project))
    page.on("dialog", lambda dialog: pytest.fail(f"script ran: {dialog.message}"))
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    expect(page.locator(".step-card").first).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("#stage img").count() == 0


def test_accessible_and_nothing_sticks_out(at_work, axe, everywhere):
    page = at_work
    press(page, "3", "e", "Enter", "c", "Enter")
    assert everywhere(page) == []
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
