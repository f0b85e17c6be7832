"""The dashboards in Chromium: accessible everywhere, figures with their twins and files, by keyboard."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import stories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = (
    "metrics/",
    "metrics/pass_at_k/",
    "metrics/ece:logprob/",
    "compare/?a=2&b=4",
    "compare/?what=recipes",
    "iterations/4/",
    "figures/metric.html?name=best_of_n:logprob&arm=main",
)


@pytest.fixture
def past(signed_in):
    past = stories.measured_past(prompts=4)
    signed_in(past.lead)
    return past


@pytest.fixture
def go(page, live_server, past):
    return lambda path: page.goto(f"{live_server.url}/projects/{past.project.slug}/{path}")


def test_every_page_everywhere_and_every_figure_with_its_twin(page, go, everywhere):
    problems = []
    page.on("console", lambda m: problems.append(m.text) if "Content Security" in m.text else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    for path in PAGES:
        assert go(path).ok, path
        problems += everywhere(page, path)
        figures, twins = page.locator("figure.figure"), page.locator("figure.figure details table caption")
        assert figures.count() == twins.count(), path
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len(set(ids)), path
    assert problems == []


def test_a_figure_as_files(page, go, past, tmp_path):
    go("metrics/pass_at_k/")
    figure = page.locator("figure.figure").first
    starts = {"SVG": b"<svg", "CSV": b"Iteration,", "PNG": b"\x89PNG"}
    for kind, start in starts.items():
        with page.expect_download() as download:
            figure.locator(".figure-files").get_by_text(kind, exact=True).click()
        assert download.value.suggested_filename == f"{past.project.slug}-metric.{kind.lower()}"
        saved = Path(tmp_path) / kind
        download.value.save_as(saved)
        assert saved.read_bytes().startswith(start)


def test_points_lead_to_iterations_and_numbers_to_their_rows_by_keyboard(page, go, past):
    go("metrics/distinct_2/")
    figure = page.locator("figure.figure").first
    figure.locator("summary").focus()
    page.keyboard.press("Enter")
    value = figure.get_by_role("cell", name="0.22").get_by_role("link")
    value.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog#trace")).to_be_visible()
    page.keyboard.press("Escape")
    point = figure.get_by_role("link", name="1 alarm").first
    point.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{page.url.split('/projects/')[0]}/projects/{past.project.slug}/iterations/4/")
    expect(page.locator(".alarms-told")).to_contain_text("What to do")


def test_the_permalink_keeps_the_filters(page, go):
    go("metrics/pass_at_1/?arm=main")
    page.locator("figure.figure").first.get_by_text("Permalink").click()
    expect(page).to_have_url(re.compile(r"/figures/metric\.html\?.*arm=main"))
    expect(page.locator("figure.figure tbody tr")).to_have_count(5)  # without the control


def test_without_scripts_nothing_is_missing_but_the_png(browser, live_server, past, signed_in):
    quiet = browser.new_context(java_script_enabled=False)
    try:
        signed_in(past.lead, quiet)
        page = quiet.new_page()
        page.goto(f"{live_server.url}/projects/{past.project.slug}/metrics/pass_at_k/")
        assert not page.locator("[data-png]").first.is_visible()
        page.locator("figure.figure summary").first.click()
        assert page.locator("figure.figure table").first.is_visible()
    finally:
        quiet.close()
