"""Chromium from the system, driven by Playwright, and the accessibility check."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.binary import CHROMIUM

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
FLAGS = (
    "--no-sandbox --headless --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)

QUIET_POLLS = 12  # of 10 ms
HELD = "/static/base/icon.svg"  # a page that asks nothing of the database

# Playwright's synchronous API runs an event loop in this thread, in which Django would refuse its ORM.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's Chromium: Playwright's own download is not needed."""
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": FLAGS.split()}


@pytest.fixture(scope="session")
def axe() -> Callable[..., list[str]]:
    """`axe(page)` lists the serious and critical accessibility violations of the page as it stands."""
    script = AXE.read_text()

    def check(page: Page, *rules: str) -> list[str]:
        if not page.evaluate("'axe' in window"):
            page.evaluate(script)  # evaluated, not injected: a strict content policy stays in force
        found = page.evaluate(
            "rules => axe.run(rules.length ? { runOnly: rules } : {}).then(result => result.violations)",
            rules,
        )
        return [
            f"{v['impact']}: {v['id']}: {v['help']} ({[node['target'] for node in v['nodes'][:3]]})"
            for v in found
            if v["impact"] in ("serious", "critical")
        ]

    return check


@pytest.fixture(scope="session")
def everywhere(axe: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """`everywhere(page)` lists what is wrong with the page as it stands: accessibility at both widths,
    colours in both themes, scrolling sideways. Without loading it again: what differs is style alone."""

    def check(page: Page, where: str = "", height: int = 900) -> list[str]:
        problems = []
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": height})
            problems += [f"{where} at {width} px: {finding}" for finding in axe(page)]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                problems.append(f"{where} at {width} px: scrolls sideways")
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        problems += [f"{where} in the dark: {finding}" for finding in axe(page, "color-contrast")]
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.set_viewport_size({"width": 1280, "height": height})
        return problems

    return check


@pytest.fixture(scope="session", autouse=True)
def _static_files_keep() -> Iterator[None]:
    """Scripts and styles stay in a context's cache, as in production, where their names carry hashes."""
    from django.contrib.staticfiles.handlers import StaticFilesHandler

    serve = StaticFilesHandler.serve

    def keeping(self: StaticFilesHandler, request: Any) -> Any:
        response = serve(self, request)
        response.headers["Cache-Control"] = "max-age=3600"
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StaticFilesHandler, "serve", keeping)
        yield


@pytest.fixture(scope="module")
def held(browser: Browser, browser_context_args: dict[str, Any], live_server: Any) -> Iterator[Page]:
    """A page that stays open while a file's tests run, in the context they share.

    Their own pages then begin in a process that is there and find scripts and styles loaded, which is more
    than half of what Chromium does for a short test.
    """
    context = browser.new_context(**browser_context_args)
    page = context.new_page()
    page.goto(f"{live_server.url}{HELD}")
    yield page
    context.close()


@pytest.fixture
def context(
    request: pytest.FixtureRequest, new_context: Callable[[], BrowserContext]
) -> Iterator[BrowserContext]:
    """The file's shared context, as if it were new; a test marked `own_context` gets one to itself: what it
    does could not be taken back (a clock)."""
    if request.node.get_closest_marker("own_context"):
        yield new_context()
        return
    held: Page = request.getfixturevalue("held")
    shared = held.context
    yield shared
    shared.unroute_all()
    shared.set_offline(False)
    shared.clear_cookies()
    held.evaluate("localStorage.clear()")
    for page in shared.pages:
        if page != held:
            page.close()


@pytest.fixture
def settled(context: BrowserContext, live_server: Any) -> Iterator[None]:
    """Ends a test only when the server has finished what the page asked for: its rows are about to go."""
    from django.core.signals import request_finished, request_started

    asked: set[Any] = set()
    serving: list[int] = []

    def started(**_: Any) -> None:
        serving.append(1)

    def finished(**_: Any) -> None:
        if serving:
            serving.pop()

    def answered(request: Any) -> None:
        asked.discard(request)

    def asking(request: Any) -> None:  # Playwright marks its handlers, so a set's own method will not do
        asked.add(request)

    context.on("request", asking)
    context.on("requestfinished", answered)
    context.on("requestfailed", answered)
    request_started.connect(started)
    request_finished.connect(finished)
    yield
    context.route("**/*", lambda route: route.abort())  # nothing new from here on
    for page in context.pages:
        if not page.url.endswith(HELD):
            page.goto("about:blank")  # what a page sends when it is left is stopped as well
    # A request that the page gave up may have reached the server and not begun there: quiet for a while.
    latest, quiet = time.monotonic() + 5, 0
    while context.pages and quiet < QUIET_POLLS and time.monotonic() < latest:
        context.pages[0].wait_for_timeout(10)  # lets Playwright deliver its events
        quiet = 0 if asked or serving else quiet + 1
    context.remove_listener("request", asking)
    context.remove_listener("requestfinished", answered)
    context.remove_listener("requestfailed", answered)
    request_started.disconnect(started)
    request_finished.disconnect(finished)


@pytest.fixture
def signed_in(context: BrowserContext, live_server: Any, settled: None) -> Callable[..., None]:
    """`signed_in(user)` gives the browser that user's session, without going through the sign-in page."""

    def sign_in(user: Any, where: BrowserContext = context) -> None:
        from django.conf import settings
        from django.test import Client

        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        name = settings.SESSION_COOKIE_NAME
        where.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])

    return sign_in


# ---- the annotation page: a project with three step critiques in it, and a person at work on the first ----


@pytest.fixture
def project():
    from tests import factories as make

    project = make.project_make(name="Word problems")
    make.guidelines_make(project)
    return project


@pytest.fixture
def tasks(project):
    from tests import factories as make
    from tests.browser.annotating import STEPS

    iteration = make.iteration_make(project)
    tasks = [make.task_make(iteration, *STEPS, priority=1 - n / 10, show_reference=True) for n in range(3)]
    for task in tasks:
        make.model_critique_make(task.response, marks=[1, 1, 1, 1], first_error=None, comments={})
    return tasks


@pytest.fixture
def person(project):
    """An annotator who has read the guidelines."""
    from tests import factories as make
    from webapp.projects.models import GuidelineRead

    person = make.member_make(project)
    GuidelineRead.objects.create(user=person, version=project.guidelines.get())
    return person


@pytest.fixture
def at_work(page, live_server, signed_in, project, tasks, person):
    from playwright.sync_api import expect

    from tests.browser.annotating import cursor_at

    signed_in(person)
    page.goto(f"{live_server.url}/projects/{project.slug}/annotate/")
    expect(cursor_at(page, 0)).to_be_visible()
    return page
