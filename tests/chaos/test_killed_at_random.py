"""Kill any part at its worst moment: the iteration ends with exactly what an undisturbed one gives.

Each run is the whole product in a fresh state folder: database, broker, web server, workers, scheduler,
the seed model and a real training run. `make chaos`; CHAOS_PROMPTS and CHAOS_SAMPLES set the size.
"""

import json
import os
import sys
import time
from pathlib import Path

import pytest

from tests.chaos.stack import Stack
from webapp.embedded.layout import ROOT

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
    pytest.mark.skipif(
        not (ROOT / "workers" / "seed" / "model" / "model.safetensors").is_file(), reason="no seed model"
    ),
]
STAGES = ["prepare", "generate", "annotate", "curate", "finetune", "evaluate", "promote", "done"]
_seconds = {}


def run_with(disturb, name):
    began = time.monotonic()
    with Stack() as stack:
        ready = time.monotonic()
        stack.begin()
        disturb(stack)
        outcome = stack.finish()
        _seconds[name] = {
            "start": round(ready - began, 1),
            "iteration": round(time.monotonic() - ready, 1),
            "attempts": dict(stack.rows("select kind, max(attempt) from iterations_workunit group by kind")),
        }
    folder = Path(os.environ.get("WHETSTONE_BENCH", ROOT / "var" / "bench"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chaos.json").write_text(json.dumps(_seconds, indent=1) + "\n")
    print(f"\n{name}: {_seconds[name]}")
    return outcome


@pytest.fixture(scope="module")
def undisturbed():
    return run_with(lambda stack: None, "undisturbed")


def model_worker_in_generate(stack):
    stack.wait_unit("generate")
    stack.kill(stack.pid("worker-model"))
    stack.wait_for("a second attempt", lambda: stack.attempts("generate") > 1, 90)


def trainer_in_finetune(stack):
    stack.wait_for("a step of training", lambda: stack.one("select 1 from iterations_runpoint"), 240)
    pid = stack.wait_for("the training process", stack.trainer, 5)
    stack.kill(pid)
    stack.wait_for("another training process", lambda: stack.trainer() not in (None, pid), 60)


def train_worker_in_finetune(stack):
    stack.wait_for("a step of training", lambda: stack.one("select 1 from iterations_runpoint"), 240)
    stack.kill(stack.pid("worker-train"))
    stack.wait_for("a second attempt", lambda: stack.attempts("train") > 1, 90)


def postgres_in_generate(stack):
    stack.wait_unit("generate")
    stack.kill_postgres()


def broker_flushed_twice(stack):
    stack.wait_unit("generate", busy=0)
    stack.flush_broker()
    at = "select 1 from iterations_iteration where stage = 'evaluate'"
    stack.wait_for("EVALUATE", lambda: stack.one(at), 300)
    stack.flush_broker()


def two_schedulers(stack):
    stack.second_scheduler()


@pytest.mark.parametrize(
    "disturb",
    [
        model_worker_in_generate,
        trainer_in_finetune,
        train_worker_in_finetune,
        postgres_in_generate,
        broker_flushed_twice,
        two_schedulers,
    ],
    ids=lambda f: f.__name__,
)
def test_nothing_is_lost_and_nothing_doubled(undisturbed, disturb):
    outcome = run_with(disturb, disturb.__name__)
    assert [a for a, _ in outcome["transitions"]] == STAGES[:-1]
    for part, expected in undisturbed.items():
        assert outcome[part] == expected, f"{part} differ from those of the undisturbed run"


def test_the_undisturbed_run_is_worth_comparing_with(undisturbed):
    assert [b for _, b in undisturbed["transitions"]] == STAGES[1:]
    assert len(undisturbed["responses"]) >= 4
    assert len(undisturbed["examples"]) >= 16
    assert len(undisturbed["promotions"]) == 1
