"""Wake-ups through a real broker: they arrive, survive a flush, and a dead broker is said, not raised."""

import json
import shutil
import signal
from datetime import UTC, datetime

import pytest
from celery import Celery

from webapp import broker
from webapp.embedded.layout import ROOT, Layout
from webapp.embedded.valkey import Valkey


@pytest.fixture
def valkey(var_folder):
    layout = Layout(ROOT, var_folder)
    layout.make()
    made = Valkey.of(layout)
    processes = []

    def start():
        processes.append(made.start(layout.log / "valkey.log", death_signal=signal.SIGKILL))
        return processes[-1]

    yield made, start
    made.stop()
    for process in processes:
        process.wait()
    shutil.rmtree(made.socket.parent, ignore_errors=True)


def test_a_wake_up_arrives_before_and_after_a_flush_a_death_and_a_return(valkey, settings, monkeypatch):
    server, start = valkey
    first = start()
    settings.CELERY_BROKER_URL = server.url
    monkeypatch.setattr(broker, "_app", Celery("test", broker=server.url, set_as_current=False))

    assert broker.announce("model")
    assert server.ask("LLEN", "model") == b":1\r\n"
    message = json.loads(server.ask("LINDEX", "model", "0").split(b"\r\n", 1)[1])
    left = datetime.fromisoformat(message["headers"]["expires"]) - datetime.now(UTC)
    assert 0 < left.total_seconds() <= broker.EXPIRES  # nobody need hear of it later
    server.ask("FLUSHALL")
    assert broker.announce("model")
    assert server.ask("LLEN", "model") == b":1\r\n"

    first.kill()
    first.wait()
    assert broker.announce("model") is False
    start()
    server.ask("FLUSHALL")
    assert broker.announce("model")
    assert server.ask("LLEN", "model") == b":1\r\n"
    broker._app.close()
