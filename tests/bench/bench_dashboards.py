"""Every dashboard page on a project with a million responses and 50 iterations: server time and queries.

``./run bench bench_dashboards [--responses=1m] [--iterations=50] [--only=trust]``. The pages are asked for in
this process by Django's test client: the time is that of the server alone, from the request to the last byte.
One call to warm up, then 20; the median counts against the limit. ``cpu_ms`` is the mean processor time of
this process and its database connection: what a quiet machine would take, or nearly. The rows are those of
`_dashboard_rows`; the metric values of the last iteration are really measured, and stand for the others'.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench._database import backend_cpu, database

SIZES = {"20k": 20_000, "100k": 100_000, "1m": 1_000_000}
MOST_MS, MOST_QUERIES, CALLS = 100.0, 20, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--responses", default="1m")
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--only", default="", help="pages whose name begins so")
    options = parser.parse_args()
    with database():
        begun = time.perf_counter()
        project, groups = made(SIZES[options.responses.lower()], options.iterations)
        filled = time.perf_counter() - begun
        print(f"filled in {filled:.0f} s: {json.dumps(counts(project))}", flush=True)
        found = [measure(page) for page in pages(project) if page[0].startswith(options.only)]
    result = {
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "responses": SIZES[options.responses.lower()],
        "iterations": options.iterations,
        "filled_s": round(filled, 1),
        "measured_s": round(sum(groups.values()), 1),
        "ok": all(page["ok"] for page in found),
        "pages": found,
    }
    target = Path(__file__).parents[2] / "var" / "bench" / "dashboards.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({**result, "pages": len(found)}))
    sys.exit(0 if result["ok"] else 1)


def made(responses: int, iterations: int) -> tuple[Any, dict[str, float]]:
    from django.db import connection

    from tests.bench import _dashboard_project as made
    from tests.bench import _dashboard_rows as rows

    prompts = responses // iterations // rows.SAMPLES
    project = made.project_make("farm", prompts=prompts)
    made.past_write(project, iterations=iterations, prompts=prompts)
    print("rows written", flush=True)
    groups = made.values_write(project)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")  # as autovacuum would have by the time people come
    project.refresh_from_db()
    return project, groups


def counts(project: Any) -> dict[str, int]:
    from webapp.annotate.models import Annotation
    from webapp.curate.models import Example
    from webapp.metrics.models import MetricValue, PromptFigures
    from webapp.traces.models import Response, Score

    models = (Response, Score, Annotation, Example, MetricValue, PromptFigures)
    return {model.__name__: model.objects.count() for model in models}


def pages(project: Any) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(name, address, headers) of everything that shows figures."""
    from webapp.annotate.models import Annotation
    from webapp.curate.models import Example

    here = f"/projects/{project.slug}"
    last = project.iterations.filter(stage="done").order_by("-number")[0]
    yield "overview", f"{here}/", {}
    yield "overview, live part", f"{here}/live/", {}
    for name, number in (("over", last.number), ("open", last.number + 1)):
        yield f"iteration {name}", f"{here}/iterations/{number}/", {}
        yield f"iteration {name}, live part", f"{here}/iterations/{number}/live/", {}
    yield "iterations", f"{here}/iterations/", {}
    yield "metrics", f"{here}/metrics/", {}
    for metric in ("heldout_gain", "samples_right", "ece:logprob"):
        yield f"metric {metric}", f"{here}/metrics/{metric}/", {}
    yield "compare", f"{here}/compare/", {}
    yield "compare two", f"{here}/compare/?a={last.number - 1}&b={last.number}", {}
    for name in ("trust", "operations", "alarms"):
        yield name, f"{here}/{name}/", {}
    yield "system", "/system/", {}
    yield "system, live part", "/system/live/", {}
    yield "report html", f"{here}/iterations/{last.number}/report.html", {}
    yield "report md", f"{here}/iterations/{last.number}/report.md", {}
    response = last.responses.filter(verdict="right").order_by("pk")[0]
    example = Example.objects.filter(iteration=last, accepted_by="people").order_by("pk")[0]
    annotation = Annotation.objects.filter(task__iteration=last).order_by("pk")[0]
    number = f"metric=heldout_gain&iteration={last.number}"
    sampled = f"metric=samples_right&iteration={last.number}"
    inside = {"HX-Request": "true"}
    for name, query in (
        ("number", number),
        ("prompts", f"{number}&show=prompts"),
        ("sampled prompts", f"{sampled}&show=prompts"),
        ("prompt", f"{sampled}&prompt={response.prompt_id}"),
        ("response", f"{sampled}&prompt={response.prompt_id}&response={response.pk}"),
        ("examples", f"{number}&show=examples"),
        ("example", f"{number}&example={example.pk}"),
        ("answers", f"{number}&show=answers"),
        ("annotation", f"{number}&annotation={annotation.pk}"),
        ("annotation, up", f"annotation={annotation.pk}"),
    ):
        yield f"lineage {name}", f"{here}/lineage/?{query}", inside
    yield "prometheus", "/metrics", {"Authorization": "Bearer bench"}
    api = f"/api/projects/{project.slug}"
    yield "api values", f"{api}/metrics", {}
    yield "api iteration", f"{api}/iterations/{last.number}/metrics?detail=1", {}
    yield "api alarms", f"{api}/alarms", {}


def measure(page: tuple[str, str, dict[str, str]]) -> dict[str, Any]:
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from webapp.accounts.models import User

    settings.METRICS_TOKEN = "bench"
    name, address, headers = page
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username="lead"))
    client.get(address, headers=headers)
    with CaptureQueriesContext(connection) as captured:
        reply = client.get(address, headers=headers)
        asked = list(captured.captured_queries)
    times, cpu = [], time.process_time() + backend_cpu()
    for _ in range(CALLS):
        begun = time.perf_counter()
        reply = client.get(address, headers=headers)
        times.append(1000 * (time.perf_counter() - begun))
    cpu = time.process_time() + backend_cpu() - cpu
    slowest = max(asked, key=lambda q: float(q["time"]), default={"time": "0", "sql": ""})
    median, queries = statistics.median(times), len(asked)
    figures = {
        "page": name,
        "status": reply.status_code,
        "median_ms": round(median, 1),
        "p95_ms": round(statistics.quantiles(times, n=20)[-1], 1),
        "cpu_ms": round(1000 * cpu / CALLS, 1),
        "queries": queries,
        "sql_ms": round(1000 * sum(float(q["time"]) for q in asked)),
        "kb": len(reply.content) >> 10,
        "ok": reply.status_code == 200 and median <= MOST_MS and queries <= MOST_QUERIES,
    }
    if not figures["ok"]:
        figures["slowest_sql"] = f"{slowest['time']} s: {str(slowest['sql'])[:300]}"
    print(json.dumps(figures), flush=True)
    return figures


if __name__ == "__main__":
    main()
