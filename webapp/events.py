"""Live events: Postgres NOTIFY -> one LISTEN connection per process -> server-sent events.

The stream is answered in ASGI before Django: inside Django every open stream would hold a thread, and
any query would pin a database connection to it. So a page carries a signed, short-lived *ticket* that
Django gave it after the access check, and the stream only checks the signature.

Events carry ids, never content: the page fetches its own fragment, with its own access check.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from typing import Any

import psycopg
import structlog
from django.core.signing import BadSignature, SignatureExpired, TimestampSigner
from django.db import connection

CHANNEL = "whetstone"
APPLICATION = "whetstone events"  # how the listening connection shows in pg_stat_activity
PREFIX = "/events/"
TICKET_LIFE = 3600  # seconds; a page open for longer falls back to polling, which renews the ticket
HEARTBEAT = 15.0
WAITING_EVENTS = 32  # per client; who falls behind by more is told once to reload instead

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

log = structlog.get_logger(__name__)
_signer = TimestampSigner(salt="events")


def notify(*, project_id: int, iteration_id: int | None = None, topic: str = "", what: str) -> None:
    """Tell open pages that something changed. Sent inside the current transaction: delivered on commit,
    never for a change that was rolled back; equal notices of one transaction arrive once.

    A notice with a ``topic`` goes only to those with a ticket for it: what one person waits for is no
    news to everybody else."""
    notice = {"project": project_id, "iteration": iteration_id, "what": what}
    payload = json.dumps(notice | {"topic": topic} if topic else notice)
    with connection.cursor() as cursor:
        cursor.execute("select pg_notify(%s, %s)", [CHANNEL, payload])


Wanted = tuple[int, int, str]  # project, iteration (0: any), topic ("": what has none)


def ticket_for(*, project_id: int, iteration_id: int | None = None, topic: str = "") -> str:
    """Leave to hear one project's events, or one iteration's, or those of one topic (letters, digits and
    hyphens). Give it only after the access check."""
    return _signer.sign(f"{project_id}.{iteration_id or 0}.{topic}")


def _read_ticket(ticket: str) -> Wanted:
    project, iteration, topic = _signer.unsign(ticket, max_age=TICKET_LIFE).split(".")
    return int(project), int(iteration), topic


class Hub:
    """The streams of this process and the one connection that feeds them."""

    def __init__(self) -> None:
        self._clients: dict[asyncio.Queue[str], Wanted] = {}
        self._listener: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def subscribed(
        self, project: int, iteration: int, topic: str = ""
    ) -> AsyncIterator[asyncio.Queue[str]]:
        """A queue of notices, bounded. The first client starts the listener, the last one stops it."""
        queue: asyncio.Queue[str] = asyncio.Queue(WAITING_EVENTS)
        self._clients[queue] = (project, iteration, topic)
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen())
        try:
            yield queue
        finally:
            del self._clients[queue]
            if not self._clients and self._listener is not None:
                self._listener.cancel()
                self._listener = None

    def publish(self, payload: str) -> None:
        try:
            notice = json.loads(payload)
            project, iteration, topic = notice["project"], notice.get("iteration"), notice.get("topic", "")
        except (ValueError, KeyError, TypeError):
            log.warning("event_unreadable", payload=payload[:200])
            return
        for queue, (wanted_project, wanted_iteration, wanted_topic) in list(self._clients.items()):
            if (project, topic) == (wanted_project, wanted_topic) and wanted_iteration in (0, iteration):
                self._put(queue, payload)

    @staticmethod
    def _put(queue: asyncio.Queue[str], payload: str) -> None:
        if queue.full():  # a slow client: what it missed is worth one reload, not a backlog
            while not queue.empty():
                queue.get_nowait()
            payload = json.dumps({"what": "missed"})
        queue.put_nowait(payload)

    async def _listen(self) -> None:
        delay = 0.2
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    **_connection_settings(), autocommit=True
                ) as listening:
                    await listening.execute(f"listen {CHANNEL}")
                    delay = 0.2
                    # Notices sent while nobody listened are gone: every page looks once.
                    for queue in list(self._clients):
                        self._put(queue, json.dumps({"what": "listening"}))
                    async for notice in listening.notifies():
                        self.publish(notice.payload)
            except (psycopg.Error, OSError) as error:
                log.warning("events_disconnected", error=str(error), retry_in=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 10.0)


def _connection_settings() -> dict[str, Any]:
    database = connection.settings_dict
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    # What libpq knows, such as sslmode; the rest of OPTIONS is Django's own.
    mine = {"pool", "isolation_level", "server_side_binding", "assume_role"}
    options = {key: value for key, value in database.get("OPTIONS", {}).items() if key not in mine}
    given = {key: database[name] for key, name in named.items() if database.get(name)}
    return {"connect_timeout": 5} | options | given | {"application_name": APPLICATION}


def with_events(django_app: App, hub: Hub | None = None) -> App:
    """Put the event route before Django."""
    streams = hub or Hub()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await _stream(streams, scope, receive, send)
        else:
            await django_app(scope, receive, send)

    return application


async def _stream(hub: Hub, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        project, iteration, topic = _read_ticket(scope["path"].removeprefix(PREFIX).rstrip("/"))
    except SignatureExpired:
        return await _refuse(send, 410, "This ticket has run out; reload the page.")
    except (BadSignature, ValueError):
        return await _refuse(send, 403, "This ticket is not valid.")
    if scope["method"] != "GET":
        return await _refuse(send, 405, "Events are read with GET.")
    headers = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),  # nginx: hand each event on at once
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    gone = asyncio.create_task(_disconnected(receive))
    try:
        async with hub.subscribed(project, iteration, topic) as queue:
            await _pump(queue, gone, send)
    finally:
        gone.cancel()
    return None


async def _pump(queue: asyncio.Queue[str], gone: asyncio.Task[None], send: Send) -> None:
    await send({"type": "http.response.body", "body": b": open\n\n", "more_body": True})
    while not gone.done():
        waiting = asyncio.create_task(queue.get())
        await asyncio.wait({waiting, gone}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            body = f"event: news\ndata: {waiting.result()}\n\n"
        else:
            waiting.cancel()
            body = ": still here\n\n"
        if gone.done():
            return
        await send({"type": "http.response.body", "body": body.encode(), "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, status: int, why: str) -> None:
    body = why.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
