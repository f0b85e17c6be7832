"""Preference by keyboard: the winner stored is the candidate meant, whatever was displayed where."""

import pytest
from playwright.sync_api import expect

from tests import factories as make
from webapp.annotate.models import Annotation, AnnotationTask, Assignment, Draft, Queue
from webapp.annotate.services import tasks_create
from webapp.traces.models import Preference, Response

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FIRST = ("3 * 12 = 36", "24 + 36 = 50", "Answer: 35")
SECOND = ("She has 24 apples.", "3 * 12 = 36", "24 + 36 = 60", "Answer: 60")
THIRD = ("24 + 36 = 60", "Answer: 60")
CRITERIA = [
    {"key": "clear", "label": "Clarity", "kind": "rating", "help": "Could a pupil follow it?"},
    {"key": "units", "label": "Names units", "kind": "yesno"},
]


@pytest.fixture
def project():
    return make.project_make()


@pytest.fixture
def tasks(project):
    iteration = make.iteration_make(project)
    return [make.preference_task_make(iteration, f"Answer: {n}", f"Answer: {n + 10}") for n in range(3)]


@pytest.fixture
def open_page(page, live_server, signed_in, project):
    def go(count):
        signed_in(make.member_make(project))
        page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
        expect(page.locator(".chooser .chip")).to_have_count(count + 2)  # with tie and all bad
        expect(page.locator("#lease")).not_to_be_empty()  # the script has taken over
        return page

    return go


@pytest.fixture
def at_work(open_page, tasks):
    return open_page(2)


def several(project, *solutions):
    iteration = make.iteration_make(project)
    prompt = make.prompt_make(project)
    ids = [make.response_make(prompt, *steps, iteration=iteration).pk for steps in solutions]
    tasks_create(iteration=iteration, kind="preference", items=[(prompt.pk, ids, 0.0)])
    return AnnotationTask.objects.get(response_ids=ids)


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def answered(page):
    expect(page.locator(".empty")).to_be_visible()
    return Annotation.objects.get()


def test_choice_strength_reason(at_work, tasks):
    page = at_work
    shown = page.locator(".candidate").nth(1).locator(".candidate-step").inner_text()
    press(page, "2", "2", "c")
    page.keyboard.type("It is right")
    press(page, "Enter", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    record = Preference.objects.get().record()
    winner = Response.objects.get(pk=record.response_ids[record.winner])
    assert winner.text == shown
    assert (record.strength, record.rationale) == (1.0, "It is right")
    assert Annotation.objects.get().shown["order"] in ([0, 1], [1, 0])


def test_tie_and_all_bad(at_work, tasks):
    page = at_work
    press(page, "0", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    press(page, "1", "-", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[2].prompt.text)
    rows = Preference.objects.order_by("created_at").values_list("winner", "all_bad")
    assert list(rows) == [(None, False), (None, True)]


def test_nothing_chosen_is_said_and_undo_takes_back(at_work):
    press(at_work, "1", "u", "Enter")
    expect(at_work.locator("#notice")).to_contain_text("Choose the better response")
    assert Annotation.objects.count() == 0


def test_undo_and_redo_go_through_choices_and_leave_what_was_typed(at_work):
    page = at_work
    press(page, "1", "2", "c")
    page.keyboard.type("Shorter")
    press(page, "Enter", "u")
    first, second = (page.locator(".chooser input").nth(n) for n in (0, 1))
    expect(first).to_be_checked()
    press(page, "U")
    expect(second).to_be_checked()
    expect(page.locator("[name=rationale]")).to_have_value("Shorter")


def test_draft_survives_a_reload(at_work):
    page = at_work
    press(page, "1", "]")
    expect(page.locator("#saved")).to_contain_text("saved")
    page.reload()
    expect(page.locator(".chooser input").first).to_be_checked()
    expect(page.locator("[name=strength][value='3']")).to_be_checked()


def test_steps_that_answer_one_another_share_a_row_and_differing_words_are_marked(open_page, project):
    several(project, FIRST, SECOND)
    page = open_page(2)
    order = Assignment.objects.get().order
    cards = [page.locator(f".candidate[data-candidate='{c}']") for c in (0, 1)]
    texts = [card.locator(".candidate-step").all_inner_texts() for card in cards]
    assert texts == [["", *FIRST], list(SECOND)]
    boxes = [[step.bounding_box()["y"] for step in card.locator(".candidate-step").all()] for card in cards]
    assert boxes[0] == pytest.approx(boxes[1])
    marks = [card.locator("mark.differs").all_inner_texts() for card in cards]
    assert marks == [["50", "35"], ["60", "60"]]
    assert [c.get_attribute("data-candidate") for c in page.locator(".candidate").all()] == [
        str(i) for i in order
    ]


def test_a_ranking_of_three_with_a_tie(open_page, project):
    task = several(project, FIRST, SECOND, THIRD)
    page = open_page(3)
    shown = Assignment.objects.get().order
    press(page, "o", "3", "1", "Backspace", "2", "=", "1")
    expect(page.locator("[data-slot=ranking]")).to_have_text("3 › 2 = 1")
    expect(page.locator(".candidate").nth(2).locator("[data-slot=rank]")).to_have_text("rank 1")
    expect(page.locator(".candidate").nth(0).locator("[data-slot=rank]")).to_have_text("rank 2")
    press(page, "Enter")
    made = answered(page)
    assert made.payload["ranking"] == [[shown[2]], [shown[1], shown[0]]]
    assert made.payload["winner"] == shown[2] == Preference.objects.get().winner
    assert made.task == task


def test_a_ranking_is_finished_or_left_and_another_winner_drops_it(open_page, project):
    several(project, FIRST, SECOND, THIRD)
    page = open_page(3)
    press(page, "o", "1", "2", "Enter")
    expect(page.locator("#notice")).to_contain_text("not complete")
    press(page, "3")
    expect(page.locator("[data-slot=ranking]")).to_have_text("1 › 2 › 3")
    press(page, "2")
    expect(page.locator("[data-slot=ranking]")).to_have_text("")
    press(page, "u")
    expect(page.locator("[data-slot=ranking]")).to_have_text("1 › 2 › 3")
    press(page, "-", "Enter")  # a ranking may stand beside "all bad"
    made = answered(page)
    assert (made.payload["all_bad"], len(made.payload["ranking"])) == (True, 3)


def test_criteria_by_keyboard(open_page, project):
    Queue.objects.update_or_create(project=project, kind="preference", defaults={"criteria": CRITERIA})
    several(project, FIRST, SECOND)
    page = open_page(2)
    shown = Assignment.objects.get().order
    expect(page.locator(".criterion-name").first).to_contain_text("Could a pupil follow it?")
    press(page, "1", "r", "4", "2", "y")  # two ratings, then on to the yes or no of response 1
    expect(page.locator(".criterion-cell.here")).to_contain_text("Response 2")
    press(page, "ArrowUp", "5", "ArrowRight", "Backspace", "Escape")
    # 2 became 5, "yes" was passed over and the empty cell after it stayed empty
    expect(page.locator(".criterion-cell.here")).to_have_count(0)
    press(page, "u", "Enter")  # the keys mean what they meant before
    payload = answered(page).payload
    ratings = [None, None]
    ratings[shown[0]], ratings[shown[1]] = 4, 2  # undo took the 5 back
    checks = [None, None]
    checks[shown[0]] = True
    assert (payload["ratings"], payload["checks"]) == ({"clear": ratings}, {"units": checks})


def test_untouched_criteria_are_left_out(open_page, project):
    Queue.objects.update_or_create(project=project, kind="preference", defaults={"criteria": CRITERIA})
    several(project, FIRST, SECOND)
    page = open_page(2)
    press(page, "1", "Enter")
    payload = answered(page).payload
    assert (payload["ratings"], payload["checks"]) == ({}, {})


def test_ranking_by_pointer_alone(open_page, project):
    several(project, FIRST, SECOND, THIRD)
    page = open_page(3)
    shown = Assignment.objects.get().order
    page.get_by_role("button", name="Rank all").click()
    page.locator(".chooser .chip").nth(1).click()
    page.get_by_role("button", name="Next is equal").click()
    page.locator(".candidate-head").nth(2).click()
    page.locator(".chooser .chip").nth(0).click()
    expect(page.locator("[data-slot=ranking]")).to_have_text("2 = 3 › 1")
    page.get_by_role("button", name="Submit").click()
    made = answered(page)
    assert made.payload["ranking"] == [[shown[1], shown[2]], [shown[0]]]
    assert made.payload["winner"] is None  # a tie at the top


def test_two_windows_are_told_apart_in_words(at_work):
    page = at_work
    press(page, "1")
    expect(page.locator("#saved")).to_contain_text("saved")
    other = Assignment.objects.order_by("id").first().order[1]
    Draft.objects.update(payload={"winner": other, "strength": 3, "rationale": "Clearer"}, revision=7)
    press(page, "]")
    rows = page.locator("#conflict-rows")
    expect(rows.locator("tr", has_text="Better").first).to_contain_text("Response 1")
    expect(rows.locator("tr", has_text="Better").first).to_contain_text("Response 2")
    expect(rows.locator("tr", has_text="Why")).to_contain_text("Clearer")
    page.get_by_role("button", name="Take theirs").click()
    expect(page.locator(".chooser input").nth(1)).to_be_checked()
    expect(page.locator("[name=rationale]")).to_have_value("Clearer")


def test_the_sheet_of_keys_names_them(at_work):
    press(at_work, "?")
    sheet = at_work.locator("#keys")
    expect(sheet).to_contain_text("Rank three or four")
    expect(sheet).to_contain_text("Rate the criteria")


def test_accessible_and_nothing_sticks_out(open_page, project, everywhere):
    Queue.objects.update_or_create(project=project, kind="preference", defaults={"criteria": CRITERIA})
    several(project, FIRST, SECOND, THIRD, FIRST[:2])
    page = open_page(4)
    press(page, "o", "1", "=", "2")
    assert everywhere(page) == []
    for width in (1280, 390):  # the chooser is in reach wherever one has scrolled to
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("scrollTo(0, 0)")
        chooser = page.locator(".chooser").bounding_box()
        assert chooser["y"] + chooser["height"] <= 800


def test_works_without_javascript(browser, live_server, signed_in, project, tasks):
    Queue.objects.update_or_create(project=project, kind="preference", defaults={"criteria": CRITERIA})
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    signed_in(make.member_make(project), context)
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    page.locator("[name=rating-clear-1][value='4']").check(force=True)
    page.get_by_role("button", name="Submit").click()
    expect(page.locator(".messages")).to_contain_text("Choose the better one")
    expect(page.locator("[name=rating-clear-1][value='4']")).to_be_checked()  # nothing was lost
    page.locator("[name=winner][value=tie]").check(force=True)
    page.locator("[name=yesno-units-0][value=no]").check(force=True)
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    payload = Annotation.objects.get().payload
    assert payload["winner"] is None
    assert (payload["ratings"], payload["checks"]) == ({"clear": [None, 4]}, {"units": [False, None]})
    context.close()
