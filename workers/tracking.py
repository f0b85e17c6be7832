"""Sending a finished iteration to an experiment tracker: one run for each project, one step per iteration.

The packages are optional and imported when used. Which server, and with what key, each reads from its own
environment variables (docs/dashboards.md). A repeat after a crash between sending and noting it is ignored by
MLflow; the others then show the same point twice. Clients wait as long as they please and start threads and
helpers, so each runs in a process of its own: ``python -m workers.tracking TRACKER``, the iteration on stdin.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from webapp.metrics.tracked import Tracked

WHERE = "whetstone"  # the project or experiment, at the tracker
AT_ONCE = 500  # MLflow takes 1000 metrics in one request
LONGEST = 5000  # characters of an MLflow tag
LIMIT = 60  # seconds: the worker has other things to do
MISSING = 3  # exit code for `TrackerMissing`
ROOT = Path(__file__).parents[1]


class TrackerMissing(Exception):
    """Nothing that trying again would mend; the message says what to do."""


class TrackerAway(Exception):
    """It could not be told this time; the message is its client's."""


def tell(tracker: str, iteration: Tracked, *, seconds: float = LIMIT) -> None:
    """`send` in a process group of its own, which is ended after so long.

    Raises:
        TrackerMissing: see `send`.
        TrackerAway: the client failed, or was not done in time.
    """
    message = json.dumps(asdict(iteration), default=datetime.isoformat).encode()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.tracking", tracker],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        try:
            process.communicate(message, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise TrackerAway(f"not done in {seconds:g} seconds") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        why = lines[-1] if lines else f"code {process.returncode}"
        raise TrackerMissing(why) if process.returncode == MISSING else TrackerAway(why)


def send(tracker: str, iteration: Tracked) -> None:
    """Send it from here.

    Raises:
        TrackerMissing: no tracker is called so, or its package is not installed.
        Exception: whatever the tracker's client raises when its server cannot be reached.
    """
    if tracker not in TRACKERS:
        raise TrackerMissing(f"WHETSTONE_TRACKER is {tracker!r}; it may be {', '.join(TRACKERS)} or empty")
    try:
        client = importlib.import_module(tracker)
    except ImportError as error:
        raise TrackerMissing(
            f"the package {tracker} is not installed here: .venv/bin/pip install {tracker} ({error})"
        ) from error
    TRACKERS[tracker](client, iteration)


def _trackio(trackio: Any, iteration: Tracked) -> None:
    # The configuration replaces the one before: it holds all iterations so far.
    run = trackio.init(
        project=WHERE,
        name=iteration.run,
        config=dict(iteration.facts),
        resume="allow",
        embed=False,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )
    run.log(dict(iteration.values), step=iteration.number)
    run.finish()


def _wandb(wandb: Any, iteration: Tracked) -> None:
    run = wandb.init(project=WHERE, id=iteration.run, name=iteration.run, resume="allow")
    run.config.update(dict(iteration.facts), allow_val_change=True)
    # A step of our own: W&B's counter drops what comes late, as after a tracker that was away.
    run.define_metric("*", step_metric="iteration")
    run.log({**iteration.values, "iteration": iteration.number})
    run.finish()


def _mlflow(mlflow: Any, iteration: Tracked) -> None:
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name(WHERE)
    where = experiment.experiment_id if experiment else client.create_experiment(WHERE)
    mine = f"tags.`whetstone.run` = '{iteration.run}'"
    found = client.search_runs([where], filter_string=mine, max_results=1)
    run = found[0] if found else client.create_run(
        where, tags={"whetstone.run": iteration.run}, run_name=iteration.run
    )  # fmt: skip
    prefix = f"iteration_{iteration.number}"
    if f"{prefix}.sent" in run.data.tags:
        return
    at = int(iteration.at.timestamp() * 1000)
    metric, tag = mlflow.entities.Metric, mlflow.entities.RunTag
    points = [metric(name, value, at, iteration.number) for name, value in iteration.values.items()]
    for first in range(0, len(points), AT_ONCE):
        client.log_batch(run.info.run_id, metrics=points[first : first + AT_ONCE])
    facts = [(f"{prefix}.{k}", v if isinstance(v, str) else json.dumps(v)) for k, v in iteration.own.items()]
    tags = [tag(key, text[:LONGEST]) for key, text in [*facts, (f"{prefix}.sent", "yes")]]
    client.log_batch(run.info.run_id, tags=tags)


TRACKERS: dict[str, Callable[[Any, Tracked], None]] = {
    "trackio": _trackio,
    "mlflow": _mlflow,
    "wandb": _wandb,
}


def main() -> int:
    """Send what stdin says; why it could not be is the last line on stderr."""
    signal.alarm(LIMIT)  # ends this process also where the worker that waits for it was killed
    told = json.load(sys.stdin)
    try:
        send(sys.argv[1], Tracked(**told | {"at": datetime.fromisoformat(told["at"])}))
    except TrackerMissing as missing:
        print(" ".join(str(missing).split()), file=sys.stderr)
        return MISSING
    except Exception as error:  # whatever a client raises
        print(f"{type(error).__name__}:", " ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
