"""Live events at the ASGI level: tickets, what a client hears, lost connections, slow clients."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import psycopg
import pytest
from django.core.signing import TimestampSigner
from django.db import connection, transaction

from webapp import events
from webapp.events import APPLICATION, CHANNEL, Hub, notify, ticket_for, with_events

TIMEOUT = 10


def play(scene):
    """Run a coroutine in a thread of its own: browser tests leave an event loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, scene).result()


async def django_app(scope, receive, send):
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"django"})


class Stream:
    """A client of the ASGI application, without a server in between."""

    def __init__(self, app, path, method="GET"):
        self.sent = asyncio.Queue()
        self._incoming = asyncio.Queue()
        scope = {"type": "http", "path": path, "method": method}
        self.task = asyncio.create_task(app(scope, self._incoming.get, self.sent.put))

    async def start(self):
        return await asyncio.wait_for(self.sent.get(), TIMEOUT)

    async def body(self):
        return (await asyncio.wait_for(self.sent.get(), TIMEOUT))["body"].decode()

    async def news(self):
        """The next event's data, past comments."""
        while True:
            body = await self.body()
            if body.startswith("event: news\ndata: "):
                assert body.endswith("\n\n")
                return json.loads(body.removeprefix("event: news\ndata: "))

    async def leave(self):
        await self._incoming.put({"type": "http.disconnect"})
        await asyncio.wait_for(self.task, TIMEOUT)


@asynccontextmanager
async def listening(app, ticket):
    stream = Stream(app, f"/events/{ticket}")
    assert (await stream.start())["status"] == 200
    assert (await stream.news())["what"] == "listening"
    yield stream
    await stream.leave()


async def database():
    settings = {**events._connection_settings(), "application_name": "test"}
    return await psycopg.AsyncConnection.connect(**settings, autocommit=True)


async def say(payload):
    async with await database() as sender:
        await sender.execute("select pg_notify(%s, %s)", [CHANNEL, json.dumps(payload)])


@pytest.mark.django_db(transaction=True)
def test_a_notice_is_delivered_on_commit_and_never_for_a_rollback():
    with psycopg.connect(
        **{**events._connection_settings(), "application_name": "test"}, autocommit=True
    ) as ear:
        ear.execute(f"listen {CHANNEL}")
        with transaction.atomic():
            notify(project_id=1, iteration_id=2, what="lost")
            transaction.set_rollback(True)
        with transaction.atomic():
            notify(project_id=1, iteration_id=2, what="stage")
            assert not list(ear.notifies(timeout=0))
        notify(project_id=3, what="prompts")
        heard = [json.loads(n.payload) for n in ear.notifies(timeout=TIMEOUT, stop_after=2)]
    assert heard == [
        {"project": 1, "iteration": 2, "what": "stage"},
        {"project": 3, "iteration": None, "what": "prompts"},
    ]


@pytest.mark.django_db(transaction=True)
def test_a_client_hears_its_own_project_only():
    async def scene():
        app = with_events(django_app)
        async with listening(app, ticket_for(project_id=7)) as stream:
            await say({"project": 8, "iteration": 1, "what": "other"})
            await say({"project": 7, "iteration": 1, "what": "stage"})
            assert await stream.news() == {"project": 7, "iteration": 1, "what": "stage"}

    play(scene())


@pytest.mark.django_db(transaction=True)
def test_an_iterations_page_hears_that_iteration_only():
    async def scene():
        app = with_events(django_app)
        async with listening(app, ticket_for(project_id=7, iteration_id=2)) as stream:
            await say({"project": 7, "iteration": 1, "what": "other"})
            await say({"project": 7, "iteration": None, "what": "other"})
            await say({"project": 7, "iteration": 2, "what": "progress"})
            assert (await stream.news())["what"] == "progress"

    play(scene())


@pytest.mark.django_db(transaction=True)
def test_what_one_person_waits_for_is_no_news_to_others():
    async def scene():
        app = with_events(django_app)
        async with listening(app, ticket_for(project_id=7, topic="a-1")) as mine:
            page = Stream(app, f"/events/{ticket_for(project_id=7)}")
            await page.start()
            await say({"project": 7, "iteration": None, "what": "regeneration", "topic": "b-2"})
            await say({"project": 7, "iteration": None, "what": "stage"})
            await say({"project": 7, "iteration": None, "what": "regeneration", "topic": "a-1"})
            assert (await mine.news())["topic"] == "a-1"
            assert (await page.news())["what"] == "stage"
            await page.leave()

    play(scene())


@pytest.mark.django_db(transaction=True)
def test_many_clients_share_one_connection_and_the_last_one_closes_it():
    async def count():
        async with await database() as asking:
            rows = await asking.execute(
                "select count(*) from pg_stat_activity "
                "where application_name = %s and datname = current_database()",
                [APPLICATION],
            )
            return (await rows.fetchone())[0]

    async def scene():
        hub = Hub()
        app = with_events(django_app, hub)
        async with listening(app, ticket_for(project_id=1)):
            others = [Stream(app, f"/events/{ticket_for(project_id=1)}") for _ in range(50)]
            for other in others:
                assert (await other.start())["status"] == 200
            assert await count() == 1
            await say({"project": 1, "what": "stage"})
            for other in others:
                assert (await other.news())["what"] == "stage"
                await other.leave()
        for _ in range(200):
            if await count() == 0:
                return
        pytest.fail("the listening connection stayed open")

    play(scene())


@pytest.mark.django_db(transaction=True)
def test_a_lost_connection_comes_back_and_every_page_looks_once():
    async def scene():
        app = with_events(django_app)
        async with listening(app, ticket_for(project_id=1)) as stream:
            async with await database() as killer:
                await killer.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where application_name = %s and datname = current_database()",
                    [APPLICATION],
                )
            assert await stream.news() == {"what": "listening"}
            await say({"project": 1, "what": "stage"})
            assert (await stream.news())["what"] == "stage"

    play(scene())


def test_tickets(monkeypatch):
    async def ask(path, method="GET"):
        stream = Stream(with_events(django_app), path, method)
        return (await stream.start())["status"], await stream.body()

    good = ticket_for(project_id=1)
    assert play(ask("/events/forged")) == (403, "This ticket is not valid.")
    assert play(ask(f"/events/{good[:-1]}x"))[0] == 403
    assert play(ask(f"/events/{TimestampSigner(salt='events').sign('no numbers')}"))[0] == 403
    assert play(ask(f"/events/{TimestampSigner(salt='else').sign('1.0')}"))[0] == 403
    assert play(ask(f"/events/{good}", "POST"))[0] == 405
    assert play(ask("/projects/")) == (418, "django")
    monkeypatch.setattr(events, "TICKET_LIFE", -1)
    assert play(ask(f"/events/{good}"))[0] == 410


def test_a_slow_client_is_told_once_that_it_missed_something():
    async def scene():
        hub = Hub()
        hub._listener = asyncio.create_task(asyncio.Event().wait())  # no database needed
        async with hub.subscribed(1, 0) as queue:
            for n in range(events.WAITING_EVENTS + 1):
                hub.publish(json.dumps({"project": 1, "what": str(n)}))
            assert queue.qsize() == 1
            assert json.loads(queue.get_nowait()) == {"what": "missed"}
            for unreadable in ("no json", "{}", "[]"):
                hub.publish(unreadable)
            assert queue.empty()

    play(scene())


def test_a_quiet_stream_is_kept_alive(monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT", 0.001)

    async def scene():
        hub = Hub()
        hub._listener = asyncio.create_task(asyncio.Event().wait())
        stream = Stream(with_events(django_app, hub), f"/events/{ticket_for(project_id=1)}")
        headers = dict((await stream.start())["headers"])
        assert headers[b"content-type"] == b"text/event-stream"
        assert headers[b"cache-control"] == b"no-store"
        assert [await stream.body() for _ in range(3)] == [
            ": open\n\n",
            ": still here\n\n",
            ": still here\n\n",
        ]
        await stream.leave()

    play(scene())


def test_the_connection_uses_what_django_uses(settings, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {"sslmode": "prefer", "pool": True})
    made = events._connection_settings()
    assert made["sslmode"] == "prefer"
    assert "pool" not in made
    assert made["dbname"] == connection.settings_dict["NAME"]
