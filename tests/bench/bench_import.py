"""Bulk import of tasks: rows a second and peak memory at two sizes, into PostgreSQL as `up` runs it.

``./run bench bench_import [--sizes=20k,200k] [--runs=2]``. A line is a prompt and a solution of six steps,
about 600 characters of solution; each has a prompt of its own, the costliest case. The machine's other work
shows in the rate, so the processor time of each part is printed beside it; the best run of each size counts.
Each size goes into a project of its own.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from pathlib import Path
from typing import Any

from tests.bench._database import database

SIZES = {"20k": 20_000, "100k": 100_000, "200k": 200_000, "1m": 1_000_000}
LEAST_ROWS = 20_000  # a second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="20k,200k")
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    with database() as folder:
        sizes = [SIZES[name.lower()] for name in options.sizes.split(",")]
        found = [
            min((measure(folder, n) for _ in range(options.runs)), key=lambda r: r["seconds"]) for n in sizes
        ]
    result = {
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "sizes": found,
        "memory_ratio": round(found[-1]["peak_mb"] / found[0]["peak_mb"], 2),
        "rate_ratio": round(found[-1]["rows_per_s"] / found[0]["rows_per_s"], 2),
    }
    target = Path(__file__).parents[2] / "var" / "bench" / "import.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def measure(folder: Path, rows: int) -> dict[str, Any]:
    from django.db import connection

    from tests.bench._database import Memory, backend_cpu
    from webapp.annotate.services.importing import tasks_import
    from webapp.projects.models import Project

    path = folder / "rows.jsonl"
    if not path.is_file() or sum(1 for _ in path.open("rb")) != rows:
        write(path, rows)
    name = f"bench-{time.time_ns()}"
    project = Project.objects.create(slug=name, name=name, base="seed")
    connection.ensure_connection()
    server, own = backend_cpu(), sum(os.times()[:4])
    begun = time.perf_counter()
    with path.open("rb") as stream, Memory() as memory:
        report = tasks_import(project=project, stream=stream)
    seconds = time.perf_counter() - begun
    server, own = backend_cpu() - server, sum(os.times()[:4]) - own
    assert report.imported == rows, report
    again = time.perf_counter()
    with path.open("rb") as stream:
        assert tasks_import(project=project, stream=stream).already == rows
    repeated = time.perf_counter() - again
    figures = {
        "rows": rows,
        "bytes_per_row": round(path.stat().st_size / rows),
        "seconds": round(seconds, 2),
        "rows_per_s": round(rows / seconds),
        "rows_per_s_of_a_repeat": round(rows / repeated),
        "server_us_per_row": round(server / rows * 1e6, 1),
        "client_us_per_row": round(own / rows * 1e6, 1),
        "peak_mb": round(memory.peak / 2**20, 1),
    }
    print(json.dumps(figures), flush=True)
    return figures


def write(path: Path, rows: int) -> None:
    out = io.BufferedWriter(path.open("wb", buffering=0), 2**20)
    with out:
        for i in range(rows):
            out.write(line(i))


def line(i: int) -> bytes:
    prompt = (
        f"In town {i} there are {i * 7} houses with {i % 13} windows each; painting a window costs {i % 97}"
        " coins. How many coins are needed for all?"
    )
    steps = []
    for k in range(6):
        n = i * 7 + k
        product = f"{n} * {k + 2} = {n * (k + 2)}"
        steps.append(f"Step {k + 1}: there are {n} things here, so {product} of them; this goes on below.")
    row = {"prompt": prompt, "steps": steps, "reference": str(i * 7)}
    return json.dumps(row).encode() + b"\n"


if __name__ == "__main__":
    main()
