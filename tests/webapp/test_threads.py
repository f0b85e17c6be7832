"""Django behind ASGI in lasting threads: connections are kept, streams flow and end, contexts do not mix."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from webapp.threads import ThreadedDjango

pytestmark = pytest.mark.django_db(transaction=True)
TIMEOUT = 10
left_behind = ContextVar("left_behind", default="nothing")
closed = []


def backend(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return HttpResponse(str(cursor.fetchone()[0]))


def context(request):
    found = left_behind.get()
    left_behind.set("something")
    return HttpResponse(found)


def echo(request):
    return HttpResponse(request.read(), headers={"X-Path": request.path}, status=201)


def endless(request):
    def parts():
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.append(True)

    return StreamingHttpResponse(parts())


def three(request):
    response = StreamingHttpResponse(iter([b"one", b"two", b"three"]))
    response.set_cookie("a", "b")
    return response


urlpatterns = [path(f.__name__, f) for f in (backend, context, echo, endless, three)]


@pytest.fixture
def app():
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        app = ThreadedDjango(threads=1)
        yield app
        app._threads.submit(lambda: connection.close()).result()  # noqa: PLW0108  (the thread's own)
        app._threads.shutdown()


def play(scene):
    """In a thread of its own: browser tests leave an event loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(asyncio.wait_for(scene, TIMEOUT))).result()


async def ask(app, address, body=b"", method="GET", stop_after=None):
    """Everything sent; the client leaves after ``stop_after`` messages."""
    sent, gone = [], asyncio.Event()
    incoming = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive():
        for message in incoming:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        if stop_after and len(sent) >= stop_after:
            gone.set()

    headers = [(b"host", b"testserver"), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": method, "path": address, "headers": headers, "query_string": b""}
    await app(scope, receive, send)
    return sent


def test_a_connection_outlives_the_request(app):
    first, second = (play(ask(app, "/backend")) for _ in range(2))
    assert first[1]["body"] == second[1]["body"] != b""


def test_a_connection_that_the_database_ended_is_replaced(app):
    first = play(ask(app, "/backend"))[1]["body"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [int(first)])
    start, body = play(ask(app, "/backend"))
    assert start["status"] == 200
    assert body["body"] != first


def test_nothing_stays_in_the_context(app):
    assert [play(ask(app, "/context"))[1]["body"] for _ in range(2)] == [b"nothing"] * 2


def test_body_status_and_headers_pass_through(app):
    start, body = play(ask(app, "/echo", body=b"hello", method="POST"))
    assert (start["status"], body["body"]) == (201, b"hello")
    assert (b"X-Path", b"/echo") in start["headers"]


def test_a_stream_comes_part_by_part(app):
    start, *parts = play(ask(app, "/three"))
    assert [p["body"] for p in parts] == [b"one", b"two", b"three", b""]
    assert [p.get("more_body", False) for p in parts] == [True, True, True, False]
    assert any(name == b"Set-Cookie" for name, _ in start["headers"])


def test_a_stream_ends_when_its_reader_has_left(app):
    closed.clear()
    play(ask(app, "/endless", stop_after=5))
    assert closed == [True]
    assert play(ask(app, "/backend"))[0]["status"] == 200  # its thread is free again


def test_only_http_is_served(app):
    with pytest.raises(ValueError, match="lifespan"):
        play(app({"type": "lifespan"}, None, None))
