"""The health address tells a load balancer the truth."""

import pytest
from django.db import OperationalError, connection


@pytest.mark.django_db
def test_it_is_well_when_the_database_answers(client):
    assert client.get("/healthz").status_code == 200


@pytest.mark.django_db
def test_it_is_not_when_the_database_is_gone(client, monkeypatch):
    def gone():
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "ensure_connection", gone)
    assert client.get("/healthz").status_code == 503
