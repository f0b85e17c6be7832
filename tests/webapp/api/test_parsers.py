"""A body beyond what an answer can be is refused in words."""

import pytest
from rest_framework.test import APIClient

from tests import factories as make

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("{", "JSON parse error"),
    ],
)
def test_what_no_answer_can_be_is_refused(body, why):
    client = APIClient()
    client.force_authenticate(make.user_make())
    reply = client.put("/api/me/settings", body, content_type="application/json")
    assert reply.status_code == 400
    assert why in str(reply.json())


def test_what_an_answer_can_be_is_read():
    client = APIClient()
    client.force_authenticate(make.user_make())
    assert client.put("/api/me/settings", {"theme": "dark"}, format="json").json()["theme"] == "dark"
