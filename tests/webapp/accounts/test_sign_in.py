"""Signing in and out, and the lock after too many wrong passwords."""

import pytest
from axes.utils import reset

from tests import factories as make

pytestmark = pytest.mark.django_db
WRONG = {"username": "ada", "password": "not it"}


@pytest.fixture
def ada():
    return make.user_make(username="ada", password="correct horse")


def test_in_and_out(client, ada):
    page = client.get("/sign-in/", {"next": "/projects/here/"})
    assert 'value="/projects/here/"' in page.content.decode()
    inside = client.post(
        "/sign-in/", {"username": "ada", "password": "correct horse", "next": "/projects/here/"}
    )
    assert inside.url == "/projects/here/"
    assert client.get("/sign-in/").status_code == 302
    assert client.post("/sign-out/").url == "/sign-in/"
    assert client.get("/").url == "/sign-in/?next=/"


def test_never_sent_to_another_site(client, ada):
    values = {"username": "ada", "password": "correct horse", "next": "https://evil.example/"}
    assert client.post("/sign-in/", values).url == "/"


def test_a_wrong_password_says_what_to_look_at(client, ada):
    page = client.post("/sign-in/", WRONG).content.decode()
    assert "do not fit together" in page


def test_too_many_tries_lock_the_name(client, ada, settings):
    settings.AXES_ENABLED = True
    reset()
    for _ in range(settings.AXES_FAILURE_LIMIT):
        locked = client.post("/sign-in/", WRONG)
    assert locked.status_code == 429
    assert "locked for 15 minutes" in " ".join(locked.content.decode().split())
    assert client.post("/sign-in/", {**WRONG, "password": "correct horse"}).status_code == 429
