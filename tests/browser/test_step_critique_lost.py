"""Nothing typed is lost: reload, lost network, lost reply, another window, a server that is started anew."""

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from django.db import connection
from playwright.sync_api import expect

from tests.browser.annotating import cursor_at, press
from webapp.annotate.models import Annotation, Assignment, Draft

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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
    expect(page.locator(".step-card").nth(2)).to_contain_text("hm")


def test_a_page_written_before_the_last_save_shows_what_was_saved(at_work):
    page = at_work
    earlier = page.request.get(page.url).text()
    press(page, "3")
    expect(page.locator("#saved")).to_contain_text("saved")
    page.route(page.url, lambda route: route.fulfill(body=earlier, content_type="text/html; charset=utf-8"))
    page.reload()  # while the draft was on its way, the server had written this page already
    expect(page.locator(".step-card .mark").first).to_have_text("+")
    with page.expect_response(re.compile("/draft$")) as reply:
        press(page, "3")
    assert reply.value.status == 200
    expect(page.locator("#conflict")).to_be_hidden()
    assert Draft.objects.get().payload["marks"] == [1, 1, None, None]


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


@pytest.fixture
def elsewhere(at_work, person):
    """The same item changed in another window meanwhile."""
    at_work.wait_for_load_state("networkidle")
    claim = Assignment.objects.get(user=person, task__priority=1.0)
    theirs = {
        "marks": [0, None, None, None],
        "first_error": None,
        "unsure": [],
        "kinds": {},
        "comments": {"0": "written elsewhere"},
        "corrections": {},
        "spans": {},
        "branches": [],
        "cursor": 0,
        "verdict": "",
        "confidence": None,
    }
    return Draft.objects.create(assignment=claim, payload=theirs)


def test_two_versions_are_laid_side_by_side_and_theirs_is_taken(at_work, elsewhere, axe):
    page = at_work
    press(page, "3")
    rows = page.locator("#conflict .differs")
    expect(rows).to_have_count(1)
    expect(rows.locator("td")).to_have_text(["good", "neutral · written elsewhere"])
    assert axe(page) == []
    press(page, "Escape")
    expect(page.locator("#conflict")).to_be_visible()  # it must be decided
    press(page, "Tab", "Enter")
    expect(page.locator(".step-card .mark").first).to_have_text("0")
    expect(page.locator(".note-comment")).to_have_text("written elsewhere")
    elsewhere.refresh_from_db()
    assert elsewhere.payload["marks"] == [0, None, None, None]


def test_mine_is_kept_and_then_stored(at_work, elsewhere):
    page = at_work
    press(page, "3")
    expect(page.locator("#conflict")).to_be_visible()
    with page.expect_response(re.compile("/draft$")) as reply:
        press(page, "Enter")
    assert reply.value.status == 200
    elsewhere.refresh_from_db()
    assert elsewhere.payload["marks"] == [1, None, None, None]
    expect(page.locator("#saved")).to_contain_text("saved")


@pytest.fixture
def serve():
    """A server process of one's own on the test's database; each call starts one on the same port."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    database = (
        urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    )
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "webapp.asgi:application",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    started = []

    def start():
        started.append(subprocess.Popen(command, env={**os.environ, "DATABASE_URL": database}))
        for _ in range(600):
            with suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
                return f"http://localhost:{port}", started[-1]
            started[-1].poll()
            assert started[-1].returncode is None, "the server did not start"
            time.sleep(0.05)  # another process: there is no clock to inject
        raise AssertionError("the server did not answer within 30 s")

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_server_started_anew_finds_what_was_typed_meanwhile(page, serve, signed_in, project, tasks, person):
    address, server = serve()
    signed_in(person)
    page.goto(f"{address}/projects/{project.slug}/annotate/")
    expect(cursor_at(page, 0)).to_be_visible()
    page.wait_for_load_state("networkidle")
    server.kill()
    server.wait()
    press(page, "3", "c")
    page.keyboard.type("typed while it was down")
    expect(page.locator("#saved")).to_contain_text("kept in this browser")
    assert Draft.objects.count() == 0
    with page.expect_response(re.compile("/draft$")):  # to the page as it was, or as it is then
        serve()
        page.reload()
    expect(page.locator(".note-comment")).to_have_text("typed while it was down")
    expect(cursor_at(page, 1)).to_be_visible()
    assert Draft.objects.get().payload["comments"] == {"1": "typed while it was down"}
    page.goto("about:blank")


def test_a_server_that_answers_with_an_error_is_asked_again(at_work):
    page = at_work
    page.route("**/draft", lambda route: route.fulfill(status=503, body=""), times=1)
    press(page, "3")
    expect(page.locator("#saved")).to_contain_text("kept in this browser")
    expect(page.locator("#saved")).to_contain_text("saved", timeout=8000)
    assert Draft.objects.get().payload["marks"][0] == 1
