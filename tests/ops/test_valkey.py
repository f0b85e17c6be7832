"""The embedded broker keeps its queue over kill -9 and answers on its socket only."""

import shutil
import signal

import pytest

from webapp.embedded.valkey import Valkey


@pytest.fixture
def valkey(layout):
    made = Valkey.of(layout)
    yield made
    made.stop()
    shutil.rmtree(made.socket.parent, ignore_errors=True)


def test_a_queue_survives_kill_9(valkey, layout):
    process = valkey.start(layout.log / "valkey.log", death_signal=signal.SIGKILL)
    assert valkey.pid() == process.pid
    assert valkey.ask("LPUSH", "queue", "look") == b":1\r\n"
    valkey.ask("WAITAOF", "1", "0", "2000")  # the file is written once a second
    process.kill()
    process.wait()
    assert not valkey.ready()
    again = valkey.start(layout.log / "valkey.log", death_signal=signal.SIGKILL)
    assert valkey.ask("LLEN", "queue") == b":1\r\n"
    valkey.stop()
    assert again.wait() == 0
    assert valkey.pid() is None


def test_the_task_queue_can_use_its_address(valkey, layout):
    from kombu import Connection

    process = valkey.start(layout.log / "valkey.log", death_signal=signal.SIGKILL)
    with Connection(valkey.url) as connection:
        queue = connection.SimpleQueue("q")
        queue.put({"look": 1})
        message = queue.get(timeout=5)
        assert message.payload == {"look": 1}
        message.ack()
        queue.close()
    valkey.stop()
    process.wait()
