"""Critique review by keyboard alone: accept, edit, reject; of two, prefer the better. Nothing is lost."""

import pytest
from playwright.sync_api import expect

from loop.records import Mark
from tests import factories as make
from webapp.annotate.models import Annotation, Assignment, Draft
from webapp.traces.models import Critique, Preference

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FOUND = {
    "corrections": {"1": "4 + 1 = 5"}
}  # beside the factory's: step 2 is the first error, "Check the sum."
MISSED = {"marks": [1, 1, 1], "first_error": None, "verdict": "right", "comments": {"0": "Fine."}}


@pytest.fixture
def project():
    return make.project_make(name="Word problems")


@pytest.fixture
def open_page(page, live_server, signed_in, project):
    def go(*critiques):
        iteration = make.iteration_make(project)
        page.tasks = [make.review_task_make(iteration, *critiques, priority=1 - n / 10) for n in range(2)]
        signed_in(make.member_make(project))
        page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
        expect(page.locator("#lease")).not_to_be_empty()  # the script has taken over
        expect(page.locator(".review-step")).to_have_count(3)
        return page

    return go


@pytest.fixture
def one(open_page):
    return open_page(FOUND)


@pytest.fixture
def two(open_page):
    return open_page(FOUND, MISSED)


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def next_item(page):
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(page.tasks[1].prompt.text)


def step(page, n):
    return page.locator(f".review-step[data-step='{n}']")


def persons_critique():
    return Critique.objects.get(author_kind="person").record()


def test_the_critique_stands_beside_each_step(one):
    expect(step(one, 0).locator(".said")).to_contain_text("good")
    expect(step(one, 1)).to_contain_text("4 + 1 = 6")
    expect(step(one, 1).locator(".said")).to_contain_text("first error")
    expect(step(one, 1).locator(".said")).to_contain_text("Check the sum.")
    expect(step(one, 1).locator(".said")).to_contain_text("→ 4 + 1 = 5")
    expect(step(one, 2).locator(".said")).to_contain_text("unjudged")
    expect(one.locator(".review-verdicts")).to_contain_text("wrong")
    expect(one.locator(".strength")).to_be_hidden()


@pytest.mark.parametrize("key", ["1", "a"])
def test_accept_in_two_keys(one, key):
    press(one, key, "Enter")
    next_item(one)
    critique = persons_critique()
    assert critique.marks == (Mark.GOOD, Mark.WRONG, None)
    assert (critique.comments, critique.corrections) == ({1: "Check the sum."}, {1: "4 + 1 = 5"})
    assert Annotation.objects.get().payload["decision"] == "accept"


def test_reject_asks_for_a_reason(one):
    press(one, "3", "Enter", "Enter")  # opens the reason; leaves it empty; tries to submit
    expect(one.locator("#notice")).to_contain_text("why you reject")
    one.keyboard.type("The sum is right")
    press(one, "Enter", "Enter")
    next_item(one)
    payload = Annotation.objects.get().payload
    assert (payload["decision"], payload["reason"]) == ("reject", "The sum is right")
    assert not Critique.objects.filter(author_kind="person").exists()


def test_edit_marks_comments_corrections_and_shows_what_changed(one):
    page = one
    press(page, "2")
    expect(step(page, 1)).to_have_attribute("aria-current", "step")  # where the critique sees the error
    press(page, "Enter")
    expect(page.locator("#notice")).to_contain_text("Nothing is changed")
    press(page, "3", "b")  # step 2 is good, and the cursor has gone on: step 3 is the first error
    expect(step(page, 1).locator("[data-slot=was]")).to_have_text("was wrong")
    expect(step(page, 2).locator("[data-slot=was]")).to_have_text("was unjudged")
    press(page, "c")
    page.keyboard.type("Not the answer")
    press(page, "Enter", "e")
    page.keyboard.type("Answer: 5")
    press(page, "Enter", "k", "c", "End")
    page.keyboard.type(" It holds.")
    expect(step(page, 1).locator("[data-slot=comment-diff] ins")).to_have_text(" It holds.")
    press(page, "Enter", "w")
    page.keyboard.type("Too early")
    expect(page.locator("[data-slot=progress]")).to_have_text("Steps changed: 2.")
    press(page, "Enter", "Enter")
    next_item(page)
    critique = persons_critique()
    assert (critique.marks, critique.first_error) == ((Mark.GOOD, Mark.GOOD, Mark.WRONG), 2)
    assert critique.comments == {1: "Check the sum. It holds.", 2: "Not the answer"}
    assert critique.corrections == {2: "Answer: 5"}
    assert critique.verdict == "wrong"
    assert Annotation.objects.get().payload["reason"] == "Too early"


def test_the_verdict_follows_the_marks_unless_it_is_given(one):
    verdict = one.locator("[name=verdict]:checked")
    press(one, "e")
    expect(verdict).to_have_value("wrong")
    press(one, "3", "a")  # no error at all
    expect(verdict).to_have_value("right")
    press(one, "v", "v")
    expect(verdict).to_have_value("unknown")
    press(one, "Enter")
    next_item(one)
    assert persons_critique().verdict == "unknown"


def test_leaving_the_edit_keeps_it_and_undo_and_redo_go_through_decisions(one):
    page = one
    press(page, "2", "1", "Escape", "1")  # rate the step wrong again: no change; leave; accept
    accept, edit = page.locator("[value=accept]"), page.locator("[value=edit]")
    expect(accept).to_be_checked()
    expect(step(page, 1).locator(".rate")).to_be_hidden()
    press(page, "u", "u")
    expect(edit).to_be_checked()
    press(page, "U", "U")
    expect(accept).to_be_checked()


def test_a_draft_survives_a_reload(one):
    page = one
    press(page, "2", "3", "b", "c")
    page.keyboard.type("Half a thought")
    expect(page.locator("#saved")).to_contain_text("saved")
    page.reload()
    expect(page.locator("[value=edit]")).to_be_checked()
    expect(page.locator("#comment-2")).to_have_value("Half a thought")
    expect(step(page, 2)).to_have_attribute("aria-current", "step")


def test_two_windows_are_told_apart_in_words(one):
    page = one
    press(page, "1")
    expect(page.locator("#saved")).to_contain_text("saved")
    edited = {"marks": [1, 1, -1], "first_error": 2, "comments": {"2": "Off"}, "corrections": {}}
    edited["verdict"] = "wrong"
    Draft.objects.update(payload={"decision": "edit", "edited": edited, "reason": ""}, revision=7)
    press(page, "3")
    rows = page.locator("#conflict-rows")
    expect(rows.locator("tr", has_text="Decision")).to_contain_text("Reject")
    expect(rows.locator("tr", has_text="Decision")).to_contain_text("Edit")
    expect(rows.locator("tr", has_text="Step 3")).to_contain_text("Off")
    page.get_by_role("button", name="Take theirs").click()
    expect(page.locator("[value=edit]")).to_be_checked()
    expect(page.locator("#comment-2")).to_have_value("Off")
    expect(step(page, 2).locator("[data-slot=was]")).to_have_text("was unjudged")


def test_of_two_the_better_is_stored_whatever_stood_where(two):
    page = two
    order = Assignment.objects.order_by("id").first().order
    expect(page.locator(".said")).to_have_count(6)
    assert page.locator(".review-verdicts .badge").all_inner_texts() == [["wrong", "right"][i] for i in order]
    expect(page.locator(".review-step.differs")).to_have_count(2)
    press(page, "2", "2", "c")  # critique 2, and by more
    page.keyboard.type("It finds the error")
    press(page, "Enter", "Enter")
    next_item(page)
    row = Preference.objects.get()
    assert row.winner == order[1]
    assert row.critique_ids == page.tasks[0].critique_ids
    assert (row.strength, row.rationale) == (1.0, "It finds the error")
    assert Annotation.objects.get().shown["order"] == order


@pytest.mark.parametrize(("key", "all_bad"), [("0", False), ("-", True)])
def test_a_tie_and_both_bad(two, key, all_bad):
    press(two, "Enter")
    expect(two.locator("#notice")).to_contain_text("Choose the better critique")
    press(two, "1", key, "Enter")
    next_item(two)
    assert Preference.objects.values_list("winner", "all_bad").get() == (None, all_bad)


def test_a_comparison_survives_a_reload_and_undo_takes_it_back(two):
    press(two, "1", "]")
    expect(two.locator("#saved")).to_contain_text("saved")
    two.reload()
    expect(two.locator("#lease")).not_to_be_empty()
    expect(two.locator("[name=winner]").first).to_be_checked()
    expect(two.locator("[name=strength][value='3']")).to_be_checked()
    press(two, "2", "u")
    expect(two.locator("[name=winner]").first).to_be_checked()


@pytest.mark.parametrize("critiques", [(FOUND,), (FOUND, MISSED)], ids=["edit", "two"])
def test_accessible_and_nothing_sticks_out(open_page, everywhere, critiques):
    page = open_page(*critiques)
    press(page, "2", *(("3", "b", "c") if len(critiques) == 1 else ()))
    assert everywhere(page) == []
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("scrollTo(0, 0)")
        chooser = page.locator(".chooser:visible").bounding_box()
        assert chooser["y"] + chooser["height"] <= 800


@pytest.fixture
def plain(browser, live_server, signed_in, project):
    """The page without JavaScript."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 1600})

    def go(*critiques):
        page = context.new_page()
        page.task = make.review_task_make(make.iteration_make(project), *critiques)
        signed_in(make.member_make(project), context)
        page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
        return page

    yield go
    context.close()


def test_editing_works_without_javascript(plain):
    page = plain(FOUND)
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".messages")).to_contain_text("Accept the critique, edit it or reject it")
    expect(page.locator("[name='mark-1'][value='-1']")).to_be_checked()  # as the model has it
    page.locator("[name='mark-1'][value='1']").check(force=True)
    page.locator("[name='mark-2'][value='-1']").check(force=True)
    page.locator("[name='comment-2']").fill("Not the answer")
    page.locator("[name=decision][value=edit]").check(force=True)
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".empty")).to_be_visible()
    critique = persons_critique()
    assert (critique.first_error, critique.verdict) == (2, "wrong")
    assert critique.comments == {1: "Check the sum.", 2: "Not the answer"}


def test_comparing_works_without_javascript(plain):
    page = plain(FOUND, MISSED)
    order = Assignment.objects.get().order
    page.get_by_label("Critique 1").check(force=True)
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".empty")).to_be_visible()
    assert Preference.objects.get().winner == order[0]
