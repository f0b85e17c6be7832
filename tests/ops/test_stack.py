"""`up` from start to stop, with real servers and small programs in place of the product's."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request

import pytest

from webapp.embedded import checks, processes
from webapp.embedded.layout import ROOT, Layout

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MANAGE = """
import os, sys, time, psycopg
word = sys.argv[1]
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    connection.execute("create table if not exists said (word text)")
    connection.execute("insert into said values (%s)", [word])
    if word == "words":
        print(",".join(row[0] for row in connection.execute("select word from said")))
    if word == "fail":
        sys.exit(5)
if word == "scheduler":
    time.sleep(600)
"""
ASGI = """
async def application(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})
"""
CELERY = "import time; time.sleep(600)"  # found before the real one: `python -m` looks in the checkout first
RUN = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from webapp.embedded import cli, install, layout
install.setup = lambda *_, **__: None
layout.Layout.here = classmethod(lambda cls: cls(Path({checkout!r}), Path({var!r})))
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture
def checkout(var_folder):
    """A checkout with the smallest programs that `up` can start; gives a function that runs `./run`."""
    root = var_folder / "checkout"
    for path, text in {
        "manage.py": MANAGE,
        "webapp/__init__.py": "",
        "webapp/asgi.py": ASGI,
        "webapp/serve.py": (ROOT / "webapp" / "serve.py").read_text(),
        "celery/__main__.py": CELERY,
        "workers/seed/check.py": "def verify_folder(folder):\n    return []\n",
        "webapp/x/management/commands/bootstrap.py": "",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(textwrap.dedent(text))
    (root / ".venv").symlink_to(ROOT / ".venv")
    layout = Layout(root, root / "var")
    script = RUN.format(root=str(ROOT), checkout=str(root), var=str(layout.var))
    port = checks.any_free_port("127.0.0.1")
    env = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL", "WHETSTONE_VAR")}
    started = []

    def run(*words, wait=True, **more):
        process = subprocess.Popen(
            [sys.executable, "-c", script, *words],
            env=env | {"WHETSTONE_PORT": str(port)} | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return (process.communicate(timeout=60)[0], process.returncode) if wait else process

    yield layout, run
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=30)


def state(layout):
    try:
        return json.loads(layout.state_file.read_text())
    except FileNotFoundError:
        return {}


def answers(layout):
    url = state(layout).get("url")
    return url and checks.address_answers(url)


def test_up_serves_restarts_and_leaves_nothing_behind(checkout, eventually):
    layout, run = checkout
    first = run("up", wait=False)
    eventually(lambda: answers(layout) and len(state(layout)["children"]) == 7, 60)
    published = state(layout)
    assert urllib.request.urlopen(published["url"]).read() == b"ok"
    assert set(published["children"]) == {
        "postgres",
        "valkey",
        "web",
        "worker-model",
        "worker-train",
        "worker-light",
        "scheduler",
    }

    said, status = run("up")  # a second one says where the first is
    assert (said, status) == (f"Whetstone already runs at {published['url']} (process {first.pid}).\n", 0)

    said, status = run("manage", "words")  # a command uses the running services, and leaves them running
    assert (said.strip(), status) == ("migrate,bootstrap,scheduler,words", 0)
    assert answers(layout)

    for name in ("web", "postgres"):
        dead = published["children"][name]["pid"]
        os.kill(dead, signal.SIGKILL)
        eventually(
            lambda name=name, dead=dead: (
                state(layout)["children"].get(name, {}).get("pid") not in (dead, None)
            ),
            20,
        )
    eventually(lambda: answers(layout), 30)

    before = time.monotonic()
    first.terminate()
    said = first.communicate(timeout=30)[0]
    assert first.returncode == 0
    assert time.monotonic() - before < 10
    assert f"Whetstone is ready: {published['url']}" in said
    assert processes.marked(published["run_id"]) == []
    assert not layout.state_file.exists()
    assert (
        run("manage", "words")[0].strip().startswith("migrate,bootstrap,scheduler")
    )  # the data is still there


def test_after_kill_9_of_up_the_next_one_starts_clean(checkout, eventually):
    layout, run = checkout
    first = run("up", wait=False)
    eventually(lambda: answers(layout), 60)
    old = state(layout)
    first.kill()
    first.communicate()
    second = run("up", wait=False)
    eventually(lambda: state(layout).get("run_id") not in (None, old["run_id"]) and answers(layout), 60)
    assert processes.marked(old["run_id"]) == []
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=30)
    assert second.returncode == 0


def test_manage_starts_its_own_services_shares_them_and_stops_them(checkout, eventually):
    layout, run = checkout
    assert run("manage", "fail")[1] == 5  # the command's own status
    long = run("manage", "scheduler", wait=False)
    pid_file = layout.var / "postgres" / "postmaster.pid"
    eventually(lambda: "scheduler" in run("manage", "words")[0], 30)
    assert pid_file.exists()  # the short command did not stop what the long one uses
    long.terminate()
    long.communicate(timeout=30)
    assert not pid_file.exists()


def test_a_migration_that_fails_ends_up_with_one_sentence(checkout):
    layout, run = checkout
    (layout.root / "manage.py").write_text("raise SystemExit(3)")
    said, status = run("up")
    assert status == 1
    assert said.strip().splitlines()[-1].startswith("The database could not be migrated; ")
    assert not layout.state_file.exists()


def test_a_damaged_seed_model_is_told(checkout):
    layout, run = checkout
    folder = layout.root / "workers" / "seed"
    shutil.copy(ROOT / "workers" / "seed" / "check.py", folder)
    (folder / "model").mkdir()
    (folder / "model" / "model.safetensors").write_bytes(b"weights")
    (folder / "model" / "SHA256SUMS").write_text(
        f"{hashlib.sha256(b'other').hexdigest()}  model.safetensors\n"
    )
    said, status = run("up")
    assert status == 1
    assert said.startswith("The seed model's file model.safetensors is damaged: ")
    assert said.count("\n") == 1


def test_a_demo_runs_beside_up_starts_clean_and_gives_its_status(checkout, eventually):
    layout, run = checkout
    up = run("up", wait=False)
    eventually(lambda: answers(layout), 60)
    (layout.var / "demo" / "adapters").mkdir(parents=True)  # from the last demo
    said, status = run("demo")
    assert status == 0, said
    assert not (layout.var / "demo" / "adapters").exists()
    assert answers(layout)
    up.terminate()
    up.communicate(timeout=30)
