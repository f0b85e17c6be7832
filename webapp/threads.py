"""Django behind ASGI, each request whole in one of a few lasting threads.

Django's own ASGI handler runs a request's synchronous code in a thread made for that request, hopping
there and back for every middleware. A database connection belongs to its thread, so each request would
open one of its own: more work than most answers take. Here a thread keeps its connection, as behind WSGI.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from threading import Event
from typing import Any

import django
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.db import connections
from django.http import HttpResponseBase
from django.urls import get_resolver, set_script_prefix

# A request computes or waits for the database, and the cores are few: more threads would only take turns.
# A download holds its thread for as long as its reader takes, so there are some to spare.
THREADS = 12

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ThreadedDjango(ASGIHandler):
    """An ASGI application (HTTP only)."""

    def __init__(self, threads: int = THREADS) -> None:
        super().__init__()
        self.load_middleware(is_async=False)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"Only HTTP is served, not {scope['type']}.")
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        loop, gone = asyncio.get_running_loop(), Event()

        def deliver(message: Message) -> None:
            """From the request's thread: returns when the server has taken the message."""
            if gone.is_set():
                raise RequestAborted
            asyncio.run_coroutine_threadsafe(_sent(send, message), loop).result()

        # A context of its own: what one request leaves in context variables, the next must not find.
        work = loop.run_in_executor(self._threads, copy_context().run, self._answer, scope, body, deliver)
        leaving = asyncio.create_task(_disconnected(receive, gone))
        try:
            for message in await work:
                await send(message)
        finally:
            leaving.cancel()
            body.close()

    def _answer(self, scope: Scope, body: Any, deliver: Callable[[Message], None]) -> list[Message]:
        """The whole request. A stream is delivered from here; anything else is returned, to be sent."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        _connections_check()
        request, refusal = self.create_request(scope, body)
        response: Any = refusal if request is None else self.get_response(request)
        response._handler_class = self.__class__
        try:
            start = {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": _headers(response),
            }
            if not response.streaming:
                return [start, {"type": "http.response.body", "body": response.content}]
            with suppress(RequestAborted):
                deliver(start)
                for part in response:
                    deliver({"type": "http.response.body", "body": bytes(part), "more_body": True})
                deliver({"type": "http.response.body", "body": b""})
            return []
        finally:
            response.close()  # ends the request: old database connections are closed in their own thread


def _connections_check() -> None:
    """Drop a connection that the database has ended, and spare the living ones Django's own check.

    That one asks ``SELECT 1`` in every request. A connection between two requests has nothing to say: when
    its socket can be read, it is the news of its end (or of something a new connection does not mind).
    """
    one: Any  # Django's wrapper of one database
    for one in connections.all(initialized_only=True):
        if one.connection is None:
            continue
        if one.connection.closed or _readable(one.connection.fileno()):
            one.close()
        else:
            one.health_check_done = True


def _readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    named = [(name.encode("ascii"), str(value).encode("latin1")) for name, value in response.items()]
    cookies = [
        (b"Set-Cookie", c.output(header="").strip().encode("ascii")) for c in response.cookies.values()
    ]
    return named + cookies


async def _sent(send: Send, message: Message) -> None:
    await send(message)


async def _disconnected(receive: Receive, gone: Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


def threaded_django() -> ThreadedDjango:
    """Set Django up and serve it."""
    django.setup(set_prefix=False)
    assert get_resolver().url_patterns  # imports every view: now, not while somebody waits
    return ThreadedDjango()
