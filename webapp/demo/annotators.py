"""Simulated annotators that work through the HTTP routes people's browsers use.

They sign in, claim, and submit over HTTP; the seed domain's program decides what they answer, wrong in
a set share of the tasks. Their accounts are marked as simulated.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode

from django.db import transaction

from loop.domains.arithmetic.annotator import annotate_preference, annotate_steps
from loop.records import Origin, Prompt, Response, Step
from webapp.annotate.models import AnnotationTask
from webapp.annotate.simulate import annotator_account, answer_seed, critique_payload
from webapp.projects.models import Project

_KEYS = uuid.UUID("0b8e4b53-26a4-4e0b-a3cb-f0a3f5a1d3b1")  # namespace of the submit keys


@transaction.atomic
def accounts_ensure(project: Project, people: int, password: str) -> list[str]:
    """Names of ``people`` simulated accounts that may annotate and sign in with ``password``."""
    names = []
    for number in range(1, people + 1):
        user = annotator_account(project, number)
        user.set_password(password)
        user.save(update_fields=["password"])
        names.append(user.username)
    return names


class Browser:
    """A signed-in session: cookies and the CSRF token, nothing more."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url.rstrip("/")
        self.username = username
        self._jar = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))
        self._opener.open(f"{self.url}/sign-in/", timeout=30).read()
        form = {"username": username, "password": password, "csrfmiddlewaretoken": self._token()}
        self._opener.open(f"{self.url}/sign-in/", urlencode(form).encode(), timeout=30).read()
        if not any(c.name == "sessionid" for c in self._jar):
            raise RuntimeError(f"{username} could not sign in at {self.url}")

    def _token(self) -> str:
        return next((c.value or "" for c in self._jar if c.name == "csrftoken"), "")

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST JSON; raises urllib.error.HTTPError for an answer of 400 or above."""
        headers = {"Content-Type": "application/json", "X-CSRFToken": self._token(), "Referer": self.url}
        # The address is the demo's own web server, never input.
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode(), headers)  # noqa: S310
        with self._opener.open(request, timeout=30) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer


def answer_all(
    project: Project,
    browsers: list[Browser],
    *,
    error_rate: float,
    seed: int,
    on_answer: Callable[[int], None] = lambda _n: None,
) -> int:
    """Let every browser answer in turn until nothing is left for any of them; returns the answers given."""
    answers = 0
    working = list(browsers)
    while working:
        for browser in list(working):
            item = browser.post(f"/api/projects/{project.slug}/tasks/next", {})["item"]
            if item is None:
                working.remove(browser)
                continue
            task = AnnotationTask.objects.select_related("prompt").get(pk=item["task"])
            body = {
                "submit_key": str(uuid.uuid5(_KEYS, f"{item['task']}/{browser.username}")),
                "payload": _answer(item, task.prompt.record(), error_rate, answer_seed(seed, task)),
            }
            browser.post(f"/api/assignments/{item['token']}/submit", body)
            answers += 1
            on_answer(answers)
    return answers


def _answer(item: dict[str, Any], prompt: Prompt, error_rate: float, seed: int) -> dict[str, Any]:
    responses = [_response(prompt, r) for r in sorted(item["responses"], key=lambda r: r["candidate"])]
    if item["kind"] == "preference":
        return {"winner": annotate_preference(prompt, responses, error_rate=error_rate, seed=seed)}
    return critique_payload(annotate_steps(prompt, responses[0], error_rate=error_rate, seed=seed))


def _response(prompt: Prompt, shown: dict[str, Any]) -> Response:
    """What the page shows, as a record: the program sees no more than a person does, bar the truth."""
    steps = tuple(Step(s["index"], s["text"], 0, 0) for s in shown["steps"])
    return Response(
        shown["id"], prompt.id, shown["text"], steps, origin=Origin.SAMPLE, finish=shown["finish"]
    )
