"""The test run's own promises: a real PostgreSQL, no network."""

import socket

import pytest


@pytest.mark.django_db
def test_the_database_is_postgres():
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("show fsync")
        assert cursor.fetchone() == ("off",)


@pytest.mark.parametrize(
    "reach",
    [lambda: socket.create_connection(("192.0.2.1", 80), 1), lambda: socket.getaddrinfo("example.org", 80)],
)
def test_no_test_reaches_another_machine(reach):
    with pytest.raises(RuntimeError, match="this machine only"):
        reach()
