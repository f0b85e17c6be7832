"""Sending a finished iteration to an experiment tracker: one run for each project, one step per iteration.

The packages are optional and imported when used. Which server, and with what key, each reads from its own
environment variables (docs/dashboards.md). A repeat after a crash between sending and noting it is ignored by
MLflow; the others then show the same point twice.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

from webapp.metrics.selectors import Tracked

WHERE = "whetstone"  # the project or experiment, at the tracker
AT_ONCE = 500  # MLflow takes 1000 metrics in one request
LONGEST = 5000  # characters of an MLflow tag


class TrackerMissing(Exception):
    """Nothing that trying again would mend; the message says what to do."""


def send(tracker: str, iteration: Tracked) -> None:
    """Send it.

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
