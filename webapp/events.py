"""Live events."""
import json

from django.db import connection

CHANNEL = "whetstone"


def notify(*, project_id: int, iteration_id: int | None = None, what: str) -> None:
    """Tell open pages that something changed. Ids only, inside the current transaction: delivered on commit."""
    payload = json.dumps({"project": project_id, "iteration": iteration_id, "what": what})
    with connection.cursor() as cursor:
        cursor.execute("select pg_notify(%s, %s)", [CHANNEL, payload])


def with_events(django_app):
    return django_app
