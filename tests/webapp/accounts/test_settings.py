"""The settings page and its API: one's own only, part by part, on the first byte of every page."""

import pytest

from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(client):
    person = make.user_make()
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return person


def put(client, body):
    return client.put("/api/me/settings", body, content_type="application/json")


def test_parts_are_changed_and_the_others_stay(client, person):
    assert put(client, {"theme": "dark"}).status_code == 200
    reply = put(client, {"keys": {"skip": "S"}, "font": "l"})
    assert reply.json() == {
        "keys": {"skip": "S"}, "theme": "dark", "font": "l", "motion": "system", "language": "",
        "advance": True,
    }  # fmt: skip
    person.refresh_from_db()
    assert person.settings == {"keys": {"skip": "S"}, "theme": "dark", "font": "l"}


def test_refused_in_words_and_nothing_changed(client, person):
    reply = put(client, {"theme": "dark", "keys": {"skip": "b"}})
    assert reply.status_code == 400
    assert "change one" in reply.json()["problems"][0]
    assert put(client, [1]).status_code == 400
    person.refresh_from_db()
    assert person.settings == {}


def test_signed_out_is_turned_away(client, db):
    assert put(client, {"theme": "dark"}).status_code in (401, 403)
    assert client.get("/settings/").status_code == 302


def test_the_page_saves_and_the_first_byte_has_it(client, person):
    form = {
        "theme": "dark",
        "font": "xl",
        "motion": "reduced",
        "language": "de",
        "key-skip": "S",
        "key-undo": "",
    }
    assert client.post("/settings/", form).status_code == 302
    person.refresh_from_db()
    assert person.settings["keys"] == {"skip": "S"}
    assert person.settings["advance"] is False  # an unticked box is not sent
    page = client.get("/settings/").content.decode()
    assert '<html lang="de" data-settings="/api/me/settings" data-theme="dark"' in page
    assert 'data-font="xl" data-motion="reduced">' in page
    assert 'name="key-skip" value="S"' in page


def test_what_was_refused_stays_on_the_page(client, person):
    reply = client.post("/settings/", {"theme": "dark", "key-skip": "b"})
    assert reply.status_code == 422
    page = reply.content.decode()
    assert 'name="key-skip" value="b"' in page
    assert "change one" in page
