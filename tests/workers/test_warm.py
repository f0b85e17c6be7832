"""Only a worker that will hold an engine imports one, and it does so before it takes a task."""

from types import SimpleNamespace

import pytest
from celery.signals import celeryd_after_setup

from workers import tasks, warm


@pytest.mark.parametrize(("queues", "imports"), [(["model"], 1), (["light"], 0), (["train"], 0)])
def test_what_takes_seconds_is_imported_at_the_start_of_a_model_worker(monkeypatch, queues, imports):
    done = []
    monkeypatch.setattr(warm, "engine_import", lambda: done.append(1))
    consumed = SimpleNamespace(queues=SimpleNamespace(consume_from=dict.fromkeys(queues)))
    worker = SimpleNamespace(app=SimpleNamespace(amqp=consumed))
    celeryd_after_setup.send(sender="model@here", instance=worker, conf=None)
    assert len(done) == imports
    assert tasks.warm is warm  # the worker's task module brings it along


def test_torch_is_imported_when_it_knows_that_it_shares_the_cpu(monkeypatch):
    order = []
    monkeypatch.setattr(warm, "share_the_cpu", lambda: order.append("share"))
    monkeypatch.setattr(warm.importlib, "import_module", order.append)
    warm.engine_import()
    assert order == ["share", *warm.NEEDED]


@pytest.mark.xdist_group("torch")
def test_what_it_imports_is_there():
    warm.engine_import()
