"""Importing tasks and exporting annotations, by a lead with the keyboard."""

import json

import pytest
from playwright.sync_api import expect

from tests import factories as make
from webapp.annotate.models import AnnotationTask
from webapp.projects.models import Role

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ROWS = [
    {"prompt": f"{n} + 2?", "steps": [f"{n} + 2 = {n + 3}", f"So {n + 3}."], "reference": str(n + 2)}
    for n in range(3)
]


@pytest.fixture
def project(signed_in):
    project = make.project_make(slug="here")
    signed_in(make.member_make(project, Role.LEAD))
    return project


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_a_file_is_checked_then_imported_and_comes_out_again(page, live_server, project):
    page.goto(f"{live_server.url}/projects/here/tasks/")
    page.get_by_role("link", name="Import tasks").first.focus()
    page.keyboard.press("Enter")
    file = {"name": "sums.jsonl", "mimeType": "application/json", "buffer": lines(ROWS)}
    page.set_input_files("input[type=file]", files=[file])
    page.get_by_role("button", name="Check the file").press("Enter")
    expect(page.locator("h2", has_text="3 of 3 lines would become tasks")).to_be_visible()
    assert not AnnotationTask.objects.exists()
    page.get_by_role("button", name="Import 3 tasks").press("Enter")
    expect(page.locator(".tasks-table tbody tr")).to_have_count(3)
    page.get_by_role("link", name="Export").press("Enter")
    with page.expect_download() as got:
        page.get_by_role("button", name="Download").press("Enter")
    kinds = [json.loads(line) for line in got.value.path().read_text().splitlines()]
    assert len(kinds) > 3


def test_a_line_that_cannot_be_read_is_named_and_nothing_is_stored(page, live_server, project):
    page.goto(f"{live_server.url}/projects/here/tasks/import/")
    broken = lines(ROWS[:1]) + b'{"prompt": "no steps"}\n'
    file = {"name": "sums.jsonl", "mimeType": "application/json", "buffer": broken}
    page.set_input_files("input[type=file]", files=[file])
    page.get_by_role("button", name="Check the file").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Line 2")
    assert not AnnotationTask.objects.exists()


def test_every_page_everywhere(page, live_server, project, everywhere):
    for place in ("tasks/import/", "tasks/export/", "tasks/"):
        page.goto(f"{live_server.url}/projects/here/{place}")
        assert everywhere(page, place) == []
