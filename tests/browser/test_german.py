"""The annotation page in German: its labels, what its scripts say, the same keys, room for longer words."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests import factories as make
from tests.browser.annotating import cursor_at, press
from webapp.accounts.services import comfort_save
from webapp.embedded.layout import ROOT
from webapp.projects.models import GuidelineRead
from webapp.traces.models import Critique

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEXTS = json.loads((ROOT / "locale/de/scripts.json").read_text(encoding="utf-8"))
SHOWN = [
    text for text, word in TEXTS.items() if word not in ("", text) and len(text) > 12 and "{" not in text
]
NARROW, WIDE = 390, 1280


@pytest.fixture
def german(person):
    comfort_save(user=person, changes={"language": "de"})
    return person


@pytest.fixture
def at_work(german, at_work):
    expect(at_work.locator("#lease")).not_to_be_empty()  # the script has taken over
    return at_work


def make_task(kind, project):
    iteration = make.iteration_make(project)
    if kind == "preference":
        return make.preference_task_make(iteration, "3 * 12 = 36", "24 + 36 = 60", "36 + 24 = 60")
    return make.review_task_make(iteration, {}, *([{"verdict": "right"}] if kind == "two critiques" else []))


def assert_fits(page, width):
    """Nothing sticks out of the window sideways, nor a label out of its button."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """() => [...document.querySelectorAll("button, .button, .chip > span, .badge, kbd, .label")]
          .filter((e) => e.checkVisibility() && !e.closest(".sr-only, .site-nav"))
          .filter((e) => {
            const { left, right } = e.getBoundingClientRect();
            const cut = e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1;
            return cut || right > innerWidth + 1 || left < -1;
          })
          .map((e) => e.outerHTML.slice(0, 120))"""
    )
    assert outside == []


def assert_german(page):
    expect(page.locator("html")).to_have_attribute("lang", "de")
    body = page.locator("body").inner_text()
    assert [text for text in SHOWN if re.search(rf"\b{re.escape(text)}", body)] == []
    assert re.findall(r"\{\w+\}|%\(\w+\)s", body) == []


def test_a_step_critique_is_done_with_the_same_keys(at_work, tasks):
    page = at_work
    assert_german(page)
    expect(page.get_by_role("button", name="Überspringen").first).to_be_visible()
    expect(page.locator("button[value=submit]")).to_contain_text("Absenden")
    press(page, "Enter")
    expect(page.locator("#notice")).to_contain_text("Schritt 1 ist noch nicht bewertet.")
    press(page, "3", "b")
    expect(page.locator("#stage [data-slot=makes]")).to_contain_text("2 Schrittbewertungen")
    expect(page.locator(".step-card.first .flag")).to_have_text("erster Fehler")
    press(page, "s")
    expect(page.locator("#reason-title")).to_have_text("Diese Aufgabe überspringen")
    press(page, "Escape", "?")
    expect(page.locator("#keys")).to_contain_text("Nächster Schritt, der noch nicht bewertet ist")
    press(page, "Escape", "Enter")
    expect(page.locator("#stage [data-slot=prompt]")).to_have_text(tasks[1].prompt.text)
    assert Critique.objects.get(author_kind="person").marks == [1, -1, None, None]


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_the_steps_fit(at_work, axe, width):
    at_work.set_viewport_size({"width": width, "height": 860})
    press(at_work, "3", "1")
    expect(cursor_at(at_work, 1)).to_be_visible()
    assert_fits(at_work, width)
    assert axe(at_work) == []
    press(at_work, "?")
    assert_fits(at_work, width)


@pytest.mark.parametrize("kind", ["preference", "critique", "two critiques"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_the_other_kinds_are_german_and_fit(page, live_server, signed_in, project, german, kind, width):
    make_task(kind, project)
    signed_in(german)
    page.set_viewport_size({"width": width, "height": 860})
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    expect(page.locator("#lease")).not_to_be_empty()
    if kind == "preference":
        expect(page.locator("#stage")).to_contain_text("Alle schlecht")
        press(page, "1", "o")
        expect(page.locator("[data-slot=rank-word]").first).to_have_text("Rangfolge beenden")
    else:
        expect(page.locator("#stage")).to_contain_text("Annehmen" if kind == "critique" else "Beide schlecht")
        press(page, "2")
    expect(page.locator("#saved")).to_contain_text("gespeichert")
    assert_german(page)
    assert_fits(page, width)


@pytest.mark.parametrize(
    "path", ["settings/", "projects/{slug}/annotate/", "projects/{slug}/annotate/answers/"]
)
def test_the_pages_around_it_fit_a_phone(page, live_server, signed_in, project, german, path):
    """With nothing to do: the page that says so."""
    signed_in(german)
    page.set_viewport_size({"width": NARROW, "height": 860})
    page.goto(f"{live_server.url}/{path.format(slug=project.slug)}")
    assert_german(page)
    assert_fits(page, NARROW)
    assert GuidelineRead.objects.filter(user=german).exists()
