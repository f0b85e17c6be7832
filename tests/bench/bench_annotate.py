"""Annotation under load: next, draft and submit over HTTP, with 1,000 to 1,000,000 tasks in the queue.

``./run bench bench_annotate [--sizes=1k,100k,1m] [--seconds=60] [--rush-seconds=15]``. PostgreSQL and the
web server are the ones that `up` runs, each its own process; the load comes from one more process on the
same cores. Overlap is 3, and one of the people has given 100,000 answers before. Latency is the client's:
from sending a request to the last byte of its reply, so it includes waiting for a core.

(a) 100 people who take 5 seconds over an item: next, draft half-way, submit.
(b) 20 people who never pause: next, submit, next ...
(c) claims beyond a task's overlap, counted in SQL after each run; queries of one claim and one submit.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.bench._annotators import PAYLOAD
from webapp.embedded import checks
from webapp.embedded.layout import ROOT, Layout
from webapp.embedded.postgres import Postgres
from webapp.embedded.stack import web_argv

SIZES = {"1k": 1_000, "10k": 10_000, "100k": 100_000, "1m": 1_000_000}
PEOPLE, RUSHING, THINK, OVERLAP = 100, 20, 5.0, 3
MOST_MS, LEAST_ITEMS, MOST_GROWTH = 50.0, 100.0, 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1k,100k,1m")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rush-seconds", type=float, default=15.0)
    options = parser.parse_args()
    sizes = [SIZES[name.lower()] for name in options.sizes.split(",")]
    folder = Path(tempfile.mkdtemp(prefix="whetstone-bench-"))
    folder.chmod(0o755)
    layout = Layout(ROOT, folder)
    layout.make()
    postgres = Postgres.of(layout)
    server = postgres.start(folder / "postgres.log", death_signal=signal.SIGQUIT)
    try:
        os.environ.update(WHETSTONE_VAR=str(folder), DATABASE_URL=postgres.url)
        bench = Bench(layout, postgres)
        result = bench.run(sizes, options.seconds, options.rush_seconds)
    finally:
        postgres.stop()
        server.wait()
        for left in (postgres.sockets, postgres.data, folder):
            shutil.rmtree(left, ignore_errors=True)
    target = Layout.here().root / "var" / "bench" / "annotate.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if report(result) else 1)


class Bench:
    """One server; a database per size, copied anew for every part, so that none sees another's rows."""

    def __init__(self, layout: Layout, postgres: Postgres) -> None:
        self.layout, self.postgres = layout, postgres
        migrate = [layout.python, ROOT / "manage.py", "migrate", "--no-input", "--skip-checks", "-v", "0"]
        subprocess.run(migrate, check=True, cwd=ROOT)
        import django

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
        django.setup()
        self.people, self.keys = people_make()

    def run(self, sizes: list[int], seconds: float, rush_seconds: float) -> list[dict[str, Any]]:
        from tests.bench import _annotate_rows as rows  # its models need Django set up

        done = []
        for size in sizes:
            begun = time.perf_counter()
            whole = self.copy("whetstone", f"tasks_{size}")
            rows.load(self.url(whole), tasks=size, overlap=OVERLAP, **self.keys)
            print(f"{size} tasks loaded in {time.perf_counter() - begun:.0f} s", flush=True)
            found: dict[str, Any] = {"tasks": size, "queries": self.queries(self.copy(whole, "queries"))}
            found["a"] = self.measure(whole, PEOPLE, THINK, seconds, warm=THINK)
            print(line(size, "a", found["a"]), flush=True)
            found["b"] = self.measure(whole, RUSHING, 0.0, rush_seconds, warm=2.0)
            print(line(size, "b", found["b"]), flush=True)
            self.drop("queries", whole)
            done.append(found)
        return done

    def url(self, name: str) -> str:
        return self.postgres.url.replace("/whetstone?", f"/{name}?")

    def sql(self, words: str) -> None:
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            db.execute(words)  # type: ignore[call-overload]

    def copy(self, source: str, name: str) -> str:
        self.drop(name)
        self.sql(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY file_copy")
        return name

    def drop(self, *names: str) -> None:
        for name in names:
            self.sql(f"DROP DATABASE IF EXISTS {name} (FORCE)")

    def measure(self, whole: str, people: int, think: float, seconds: float, warm: float) -> dict[str, Any]:
        from tests.bench import _annotate_rows as rows

        name = self.copy(whole, "under_load")
        since = rows.claims_last(self.url(name))
        with self.web(name) as (server, host, port):
            work = {
                "host": host,
                "port": port,
                "project": "bench",
                "people": self.people[:people],
                "think": think,
                "seconds": seconds,
                "warm": warm,
            }
            before = self.cpu(server.pid)
            client = subprocess.run(
                [self.layout.python, "-m", "tests.bench._annotators"],
                input=json.dumps(work),
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                cwd=ROOT,
            )
            load, after = os.getloadavg()[0], self.cpu(server.pid)
        found = json.loads(client.stdout)
        figures = {route: percentiles(ms) for route, ms in found.pop("ms").items()}
        items = figures.get("submit", {}).get("n", 0) / seconds
        every = max(1, found.pop("items"))  # those of the warm-up too, as in the processor times
        cpu = {name: round(1000 * (after[name] - before[name]) / every, 2) for name in before}
        cpu["client"] = round(1000 * found.pop("cpu_seconds") / every, 2)
        checked = rows.slots_check(self.url(name), since)
        self.drop(name)
        return {
            "routes": figures,
            "items_per_s": round(items, 1),
            "cpu_ms_per_item": cpu,
            "load": round(load, 2),
            **checked,
            **found,
        }

    @contextmanager
    def web(self, name: str) -> Iterator[tuple[subprocess.Popen[bytes], str, int]]:
        host = "127.0.0.1"
        port = checks.any_free_port(host)
        env = os.environ | {"DATABASE_URL": self.url(name)}
        with (self.layout.log / "web.log").open("ab") as log:
            server = subprocess.Popen(
                [str(w) for w in web_argv(self.layout, host, port)], env=env, cwd=ROOT, stderr=log, stdout=log
            )
        try:
            end = time.monotonic() + 60
            while not checks.address_answers(f"http://{host}:{port}"):
                if server.poll() is not None or time.monotonic() > end:
                    raise SystemExit((self.layout.log / "web.log").read_text()[-2000:])
                time.sleep(0.1)
            yield server, host, port
        finally:
            server.terminate()
            server.wait(20)
            said = (self.layout.log / "web.log").read_text()
            if "Traceback" in said:
                print(said[-3000:], file=sys.stderr)

    def cpu(self, web: int) -> dict[str, float]:
        """Processor seconds so far of the web server and of PostgreSQL, their children included."""
        return {"web": cpu_seconds(web), "postgres": cpu_seconds(self.postgres.pid() or 0)}

    def queries(self, name: str) -> dict[str, int]:
        """Database statements of one claim and one submit by the veteran, in this process."""
        from django.db import connection
        from django.test import Client
        from django.test.utils import CaptureQueriesContext

        connection.close()
        before = connection.settings_dict["NAME"]
        connection.settings_dict["NAME"] = name
        try:
            client = Client(headers={"X-CSRFToken": self.people[0]["csrf"]})
            client.cookies["sessionid"] = self.people[0]["session"]
            address = "/api/projects/bench/tasks/next"
            counts = {}
            with CaptureQueriesContext(connection) as asked:
                reply = client.post(address, {}, content_type="application/json")
            counts["next"] = len(asked)
            body = {"submit_key": str(uuid.uuid4()), "payload": PAYLOAD}
            with CaptureQueriesContext(connection) as asked:
                submit = f"/api/assignments/{reply.json()['item']['token']}/submit"
                answered = client.post(submit, body, content_type="application/json")
            counts["submit"] = len(asked)
            assert answered.status_code == 200, answered.content
            return counts
        finally:
            connection.close()
            connection.settings_dict["NAME"] = before


def people_make() -> tuple[list[dict[str, str]], dict[str, int]]:
    """Signed-in annotators of one project, the veteran first, and the keys that the rows need."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import connection
    from django.middleware.csrf import _get_new_csrf_string

    from loop.stages import Stage, Status
    from webapp.accounts.models import User
    from webapp.annotate.models import Queue, TaskKind
    from webapp.iterations.models import Iteration
    from webapp.projects.models import GuidelineVersion, Membership, Project, Role

    project = Project.objects.create(slug="bench", name="Bench", base="seed")
    GuidelineVersion.objects.create(project=project, number=1, text="Find the first wrong step.")
    Queue.objects.create(project=project, kind=TaskKind.STEP_CRITIQUE, overlap=OVERLAP)
    iteration = Iteration.objects.create(
        project=project,
        number=1,
        recipe_name="self",
        recipe={},
        stage=Stage.ANNOTATE.value,
        status=Status.WAITING.value,
    )
    people = []
    users = [User(username=f"annotator-{i}", password="!") for i in range(PEOPLE)]
    for user in User.objects.bulk_create(users):
        Membership.objects.create(project=project, user=user, role=Role.ANNOTATOR)
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        people.append({"session": session.session_key, "csrf": _get_new_csrf_string()})
    connection.close()
    return people, {"project": project.pk, "iteration": iteration.pk, "veteran": users[0].pk}


def cpu_seconds(pid: int) -> float:
    """Of a process, the children it has and those it had (Linux)."""
    parents: dict[int, tuple[int, list[int]]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1]), [int(f) for f in fields[11:15]]
    ticks, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        ticks += sum(parents[one][1]) if one in parents else 0
        waiting += [child for child, (parent, _) in parents.items() if parent == one]
    return ticks / os.sysconf("SC_CLK_TCK")


def percentiles(ms: list[float]) -> dict[str, float]:
    ordered = sorted(ms)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {"n": len(ordered), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99)}


def line(size: int, part: str, found: dict[str, Any]) -> str:
    words = [
        f"{route} {f['p50']:.1f} / {f['p95']:.1f} / {f['p99']:.1f} (n {f['n']:.0f})"
        for route, f in sorted(found["routes"].items())
    ]
    return (
        f"({part}) {size:>9,} tasks | {found['items_per_s']:6.1f} items/s | ms p50 / p95 / p99: "
        f"{' | '.join(words)} | double claims {found['double_claims']},"
        f" miscounted {found['miscounted_tasks']}"
        f" | errors {found['errors']} | load {found['load']} | cpu ms per item {found['cpu_ms_per_item']}"
        + "".join(f"\n  {e}" for e in found["first_errors"])
    )


def report(result: list[dict[str, Any]]) -> bool:
    """Print what was found beside what is wanted; false where something is missed."""
    checked: list[tuple[str, bool]] = []
    result = sorted(result, key=lambda found: found["tasks"])
    first, last = result[0], result[-1]
    for found in result:
        size = found["tasks"]
        print(line(size, "a", found["a"]))
        print(line(size, "b", found["b"]))
        print(f"(c) {size:>9,} tasks | queries: {found['queries']}")
        for route, figures in found["a"]["routes"].items():
            checked.append((f"{route} p95 at {size:,}: {figures['p95']} ms", figures["p95"] < MOST_MS))
        rate = found["b"]["items_per_s"]
        checked.append((f"items/s at {size:,}: {rate}", rate >= LEAST_ITEMS))
        wrong = sum(found[p][k] for p in "ab" for k in ("double_claims", "miscounted_tasks", "errors"))
        checked.append((f"double claims, miscounted tasks, errors at {size:,}: {wrong}", wrong == 0))
        # At the smallest size the count of what waits may be exact; it is an estimate from the cache later.
        held = all(n <= first["queries"][what] for what, n in found["queries"].items())
        checked.append((f"queries at {size:,}", held))
    if len(result) > 1:
        grown = {
            route: round(last["a"]["routes"][route]["p95"] / first["a"]["routes"][route]["p95"], 2)
            for route in first["a"]["routes"]
        }
        slower = round(first["b"]["items_per_s"] / last["b"]["items_per_s"], 2)
        for what, ratio in [*grown.items(), ("items/s", slower)]:
            words = f"{what}: {last['tasks']:,} to {first['tasks']:,} = {ratio}"
            checked.append((words, ratio <= MOST_GROWTH))
    for words, held in checked:
        print(f"{'holds ' if held else 'MISSED'}  {words}")
    return all(held for _, held in checked)


if __name__ == "__main__":
    main()
