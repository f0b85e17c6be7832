"""A page is in the person's language: their own choice first, then the browser's."""

import pytest
from django.utils import translation

from webapp.accounts.language import scripts

pytestmark = pytest.mark.django_db


def language_of(client, accepted=""):
    return client.get("/sign-in/", headers={"accept-language": accepted}, follow=True).headers[
        "content-language"
    ]


def test_the_browser_is_asked_when_nobody_chose(client):
    assert language_of(client) == "en"
    assert language_of(client, "de-AT,de;q=0.9,en;q=0.5") == "de"
    assert language_of(client, "fr,pt;q=0.8") == "en"


@pytest.mark.parametrize(("chosen", "expected"), [("de", "de"), ("en", "en"), ("xx", "de"), (None, "de")])
def test_a_persons_own_choice_goes_first(client, django_user_model, chosen, expected):
    user = django_user_model.objects.create(username="ida", settings={"language": chosen} if chosen else {})
    client.force_login(user)
    assert client.get("/", headers={"accept-language": "de"}).headers["content-language"] == expected
    assert translation.get_language() == "en"  # nothing stays behind for the next request


def test_what_the_pages_own_scripts_fetch_is_in_the_persons_language(client, django_user_model):
    user = django_user_model.objects.create(username="ida", settings={"language": "de"})
    client.force_login(user)
    assert (
        client.get("/api/me/settings", headers={"accept-language": "en"}).headers["content-language"] == "de"
    )


def test_english_needs_no_catalogue():
    assert scripts("en") == {}
