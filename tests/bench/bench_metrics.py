"""Measuring an iteration: seconds of every group at 10,000 and at 100,000 responses.

``./run bench bench_metrics [--sizes=10k,100k]``. Everything that a worker measures when the stages of an
iteration end, on rows as they are left behind: the checker's and a reward model's scores for each response,
critiques and refinements of every tenth, answers of two people to 200 tasks, a dataset of 1,000 rows, and
the held-out and probe answers of champion and challenger.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench._database import Memory, backend_cpu, database

SIZES = {"1k": 1_000, "10k": 10_000, "20k": 20_000, "100k": 100_000}
MOST_SECONDS, MOST_GROWTH = (
    30.0,
    1.5,
)  # of the largest size; of the processor time a response, from the smallest on


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10k,100k")
    sizes = [SIZES[name.lower()] for name in parser.parse_args().sizes.split(",")]
    with database():
        measure(1_000)  # libraries are loaded when first used
        found = [measure(responses) for responses in sizes]
    growth = found[-1]["ms_per_response"] / found[0]["ms_per_response"]
    result = {
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "sizes": found,
        "growth": round(growth, 2),
        "ok": found[-1]["seconds"] <= MOST_SECONDS and growth <= MOST_GROWTH and not found[-1]["failed"],
    }
    target = Path(__file__).parents[2] / "var" / "bench" / "metrics.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    sys.exit(0 if result["ok"] else 1)


def measure(responses: int) -> dict[str, Any]:
    from tests.bench import _dashboard_project as made
    from tests.bench import _dashboard_rows as rows
    from webapp.metrics.models import MetricValue

    prompts = responses // rows.SAMPLES
    begun = time.perf_counter()
    project = made.project_make(f"measured-{responses}", prompts=prompts)
    made.past_write(project, iterations=2, prompts=prompts)  # the second is still open
    iteration = project.iterations.get(number=1)
    filled = time.perf_counter() - begun
    failed: list[str] = []
    cpu = time.process_time() + backend_cpu()
    with Memory() as memory:
        groups = groups_timed(iteration, failed)
    cpu = time.process_time() + backend_cpu() - cpu
    seconds = sum(groups.values())
    figures = {
        "responses": responses,
        "filled_s": round(filled, 1),
        "seconds": round(seconds, 2),
        "cpu_s": round(cpu, 2),  # this process and its database connection: what a quiet machine would take
        "ms_per_response": round(1000 * cpu / responses, 4),
        "values": MetricValue.objects.filter(iteration=iteration).count(),
        "peak_mb": round(memory.peak / 2**20),
        "groups": {name: round(s, 2) for name, s in sorted(groups.items(), key=lambda g: -g[1])},
        "failed": failed,
    }
    print(json.dumps(figures), flush=True)
    return figures


def groups_timed(iteration: Any, failed: list[str] | None = None) -> dict[str, float]:
    """Measure all stages as workers do; seconds by ``stage group``, looking for alarms with the last."""
    from loop.stages import Stage
    from webapp.metrics import measures
    from webapp.metrics.services import stage_measure

    seconds: dict[str, float] = {}
    for stage in Stage:
        names = [group for group, _ in measures.measures_of(stage)]
        marks: list[float] = []
        measured = stage_measure(
            iteration=iteration, stage=stage, between=lambda marks=marks: marks.append(time.perf_counter())
        )
        marks.append(time.perf_counter())
        for name, (start, end) in zip(names, pairwise(marks), strict=True):
            seconds[f"{stage.value} {name}"] = end - start
        if failed is not None:
            failed += [f"{stage.value} {name}" for name in measured.failed]
    return seconds


if __name__ == "__main__":
    main()
