"""A model worker is ready to write when it says so: what takes seconds to import is imported first.

Else the first person who asks for alternatives after a restart would wait for it. In the main thread,
before any task runs: these packages do not bear being imported by two threads at once.
"""

from __future__ import annotations

import importlib
from typing import Any

from celery.signals import celeryd_after_setup

from workers.engines.memory import share_the_cpu

MODEL = "model"  # the queue whose workers hold an engine
NEEDED = (
    "torch",
    "peft",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama",  # the seed model's kind
    "workers.engines.transformers_engine",
    "workers.engines.decode",
    "workers.engines.adapters",
)


@celeryd_after_setup.connect
def warm_up(instance: Any = None, **_: Any) -> None:
    """Celery calls this when the queues are known and no task has been taken yet."""
    if MODEL in instance.app.amqp.queues.consume_from:
        engine_import()


def engine_import() -> None:
    share_the_cpu()  # heard by torch only when it is imported
    for name in NEEDED:
        importlib.import_module(name)
