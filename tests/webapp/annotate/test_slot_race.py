"""Two browsers race for the same slot over HTTP, 200 times: one of them gets it, never both, never none."""

import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from threading import Barrier
from urllib.parse import urlsplit

import pytest
from django.test import Client

from tests import factories as make
from webapp.annotate.models import AnnotationTask, Assignment

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 200


class Browser:
    """One signed-in session on a connection of its own."""

    def __init__(self, address, project, person):
        client = Client()
        client.force_login(person)
        csrf = "a" * 32
        cookie = f"sessionid={client.cookies['sessionid'].value}; csrftoken={csrf}"
        self.headers = {"Cookie": cookie, "X-CSRFToken": csrf, "Content-Type": "application/json"}
        self.connection, self.project = HTTPConnection(address, timeout=20), project

    def ask(self, path, body):
        self.connection.request("POST", path, json.dumps(body), self.headers)
        reply = self.connection.getresponse()
        found = json.loads(reply.read())
        assert reply.status == 200, found
        return found

    def next(self, start):
        start.wait()
        return self.ask(f"/api/projects/{self.project.slug}/tasks/next", {})["item"]


def test_two_browsers_race_for_one_slot(live_server):
    project = make.project_make()
    iteration = make.iteration_make(project)
    address = urlsplit(live_server.url).netloc
    browsers = [Browser(address, project, make.member_make(project)) for _ in range(2)]
    start = Barrier(2)
    won = [0, 0]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            task = make.task_make(iteration)
            items = list(pool.map(lambda browser: browser.next(start), browsers))
            assert [item["task"] for item in items if item] == [task.pk]
            winner = 0 if items[0] else 1
            won[winner] += 1
            token = items[winner]["token"]
            answer = {"submit_key": token, "payload": {"marks": [1, 1, 1], "verdict": "right"}}
            browsers[winner].ask(f"/api/assignments/{token}/submit", answer)
    for browser in browsers:
        browser.connection.close()
    assert Assignment.objects.count() == AnnotationTask.objects.filter(state="done").count() == ROUNDS
    assert min(won) > 0, "one of them always won: that was no race"
