"""Raw export of a project and its way back: milliseconds a task and peak memory at two sizes.

``./run bench bench_export [--sizes=20k,200k]``. A task is a prompt and a six-step solution with one answer:
claim, answer, its first version and the critique derived from it. The file is written to disk. Memory is that
of the exporting process, which does nothing else: the project is made, and read back, by commands of their
own, whose times include starting up.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench._database import database

SIZES = {"20k": 20_000, "100k": 100_000, "200k": 200_000, "1m": 1_000_000}
MOST_MS = 0.1  # a task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="20k,200k")
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    with database() as folder:
        found = [measure(folder, SIZES[name.lower()], options.runs) for name in options.sizes.split(",")]
    result = {
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "sizes": found,
        "memory_ratio": round(found[-1]["peak_mb"] / found[0]["peak_mb"], 2),
        "ms_ratio": round(found[-1]["ms_per_task"] / found[0]["ms_per_task"], 2),
    }
    target = Path(__file__).parents[2] / "var" / "bench" / "export.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def measure(folder: Path, tasks: int, runs: int) -> dict[str, Any]:
    from tests.bench._database import Memory, backend_cpu
    from webapp.annotate.services.exporting import annotations_export
    from webapp.projects.models import Project

    project = made(folder, tasks)
    path = folder / "raw.jsonl"
    best: dict[str, Any] = {}
    for _ in range(runs):
        server, begun = backend_cpu(), time.perf_counter()
        with Memory() as memory, path.open("wb") as out:
            out.writelines(annotations_export(project=project))
        seconds = time.perf_counter() - begun
        figures = {
            "tasks": tasks,
            "bytes_per_task": round(path.stat().st_size / tasks),
            "seconds": round(seconds, 2),
            "ms_per_task": round(1000 * seconds / tasks, 4),
            "tasks_per_s": round(tasks / seconds),
            "server_us_per_task": round((backend_cpu() - server) / tasks * 1e6, 1),
            "peak_mb": round(memory.peak / 2**20, 1),
        }
        best = min(best or figures, figures, key=lambda f: f["seconds"])
    Project.objects.create(slug=f"back-{tasks}", name="back", base="seed")
    begun = time.perf_counter()
    said = json.loads(command("annotations_import", f"back-{tasks}", str(path), "--json"))
    assert said["tasks"] == tasks, said
    best["back_ms_per_task"] = round(1000 * (time.perf_counter() - begun) / tasks, 4)
    print(json.dumps(best), flush=True)
    return best


def command(*words: str) -> bytes:
    argv = [sys.executable, Path(__file__).parents[2] / "manage.py", *words, "--skip-checks"]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout


def made(folder: Path, tasks: int) -> Any:
    """A project with that many answered tasks."""
    from django.db import connection

    from tests.bench.bench_import import line
    from webapp.accounts.models import User
    from webapp.projects.models import Project

    path = folder / "answered.jsonl"
    labels = {"marks": [1, 1, 0, -1, None, None], "first_error": 3, "verdict": "wrong"}
    labels |= {"comments": {"3": "The product is wrong."}, "corrections": {"3": "Step 4: and so on."}}
    with path.open("wb") as out:
        for i in range(tasks):
            out.write(json.dumps({**json.loads(line(i)), "labels": labels, "seconds": 12.5}).encode() + b"\n")
    User.objects.get_or_create(username="bench")
    project = Project.objects.create(slug=f"bench-{tasks}", name="bench", base="seed")
    said = json.loads(
        command("tasks_import", project.slug, str(path), "--answers", "--as", "bench", "--json")
    )
    assert said["answers"] == tasks, said
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return project


if __name__ == "__main__":
    main()
