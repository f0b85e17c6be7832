"""What `up` and `demo` run: the servers, migrations, the web server, the workers, the scheduler."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from webapp.embedded import checks, processes
from webapp.embedded.layout import Layout
from webapp.embedded.locks import FileLock, held
from webapp.embedded.postgres import SYSTEM_STATE
from webapp.embedded.refusal import Refusal
from webapp.embedded.services import Services, running
from webapp.embedded.supervisor import Program, Stopped, Supervisor

# One thread each for the model and the trainer: CUDA forbids forked pools, and both use all cores.
WORKER_THREADS = {"model": 1, "train": 1, "light": 2}
WEB_SECONDS = 60.0
MIGRATED = "migrated"  # in the run folder: which tables the database has
# Commands of Django's that make the tables, or read none.
NEEDS_NO_TABLES = (
    "migrate",
    "makemigrations",
    "showmigrations",
    "sqlmigrate",
    "check",
    "help",
    "shell",
    "dbshell",
)


def read_state(layout: Layout) -> dict[str, Any]:
    """What the running (or a killed) supervisor last published; empty if nothing."""
    try:
        state = json.loads(layout.state_file.read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _take_place(layout: Layout) -> FileLock | None:
    """The lock that one supervisor per state folder holds for life; None if another has it."""
    layout.make()
    lock = FileLock(layout.run / "up.lock")
    if lock.try_take():
        left = read_state(layout)
        if left.get("run_id"):
            processes.clear_leftovers(str(left["run_id"]))
        layout.state_file.unlink(missing_ok=True)
        return lock
    lock.release()
    return None


def _has_command(root: Path, name: str) -> bool:
    return any(root.glob(f"webapp/*/management/commands/{name}.py"))


def _manage(layout: Layout, *words: str) -> list[str | Path]:
    return [layout.python, layout.root / "manage.py", *words]


def web_argv(layout: Layout, host: str, port: int) -> list[str | Path]:
    """The web server's command."""
    return [layout.python, "-m", "webapp.serve", "--host", host, "--port", str(port)]


def _programs(layout: Layout, env: dict[str, str], host: str, port: int) -> tuple[Program, list[Program]]:
    """The web server; and one worker per queue with the scheduler."""
    # As root, Celery prints a page of warning into every worker's log; in containers it runs without rights.
    worker_env = env | {"PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}

    def module(name: str, words: str, env: dict[str, str]) -> Program:
        return Program(name=name, argv=[layout.python, "-m", *words.split()], env=env, cwd=layout.root)

    others = []
    for queue, threads in WORKER_THREADS.items():
        worker = f"-Q {queue} -n {queue}@%h -P threads -c {threads}"
        celery = f"celery --quiet -A workers.app worker {worker} -l WARNING"
        quiet = "--without-gossip --without-mingle --without-heartbeat"  # nobody listens to workers' chatter
        others.append(module(f"worker-{queue}", f"{celery} {quiet}", worker_env))
    others.append(Program(name="scheduler", argv=_manage(layout, "scheduler"), env=env, cwd=layout.root))
    web = Program(name="web", argv=web_argv(layout, host, port), env=env, cwd=layout.root)
    return web, others


def _start(
    layout: Layout, supervisor: Supervisor, services: Services, host: str, port: int, *, seed: bool
) -> None:
    """Everything in order; returns when the web server answers."""
    shown = f"[{host}]" if ":" in host else ("127.0.0.1" if host == "0.0.0.0" else host)  # noqa: S104
    url = f"http://{shown}:{port}"
    env = services.environment() | {"WHETSTONE_URL": url}
    supervisor.state.update(
        url=url,
        host=host,
        port=port,
        DATABASE_URL=env["DATABASE_URL"],
        REDIS_URL=env["REDIS_URL"],
        var=str(layout.var),
    )
    services.start_under(supervisor)
    if supervisor.run_once("migrate", _manage(layout, "migrate", "--no-input", "-v", "1"), env, layout.root):
        raise Refusal(f"The database could not be migrated; {layout.log / 'migrate.log'} says why.")
    (layout.run / MIGRATED).write_text(_tables_sha(layout, services))
    if (
        seed
        and _has_command(layout.root, "bootstrap")
        and supervisor.run_once("bootstrap", _manage(layout, "bootstrap"), env, layout.root)
    ):
        raise Refusal(f"The first project could not be created; {layout.log / 'bootstrap.log'} says why.")
    web, others = _programs(layout, env, host, port)
    supervisor.start(
        web
    )  # alone at first: people wait for the page, and five programs starting share the cores
    if not supervisor.watch(lambda: checks.address_answers(url) or None, WEB_SECONDS):
        if supervisor.stop_asked.is_set():
            raise Stopped
        raise Refusal(
            f"The web server did not answer within {WEB_SECONDS:.0f} s; {layout.log / 'web.log'} says why."
        )
    for program in others:
        supervisor.start(program)


def _supervised(layout: Layout, body: Callable[[Supervisor, Services], int], *, quiet: bool = False) -> int:
    """Run `body` with a supervisor; whatever happens, everything is stopped at the end."""
    run_id = uuid.uuid4().hex
    os.environ.pop(processes.RUN_MARK, None)
    supervisor = Supervisor(log=layout.log, state_file=layout.state_file, run_id=run_id, quiet=quiet)
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, supervisor.ask_stop) for number in signals}
    services = Services.of(layout)
    user = services.user()
    user.take(shared=True)
    try:
        services.refuse_bad_addresses()
        return body(supervisor, services)
    except Stopped:
        return 0
    finally:
        if not quiet:
            supervisor.say("stopping")
        supervisor.stop_all()
        services.forget_sockets()
        user.release()
        for number, handler in before.items():
            signal.signal(number, handler)


def up(layout: Layout) -> int:
    """Serve until Ctrl-C or SIGTERM.

    A second `up` says where the first runs and ends with 0, since what was asked for holds.
    """
    host, port = checks.address()
    lock = _take_place(layout)
    if lock is None:
        state = read_state(layout)
        where = state.get("url", "an address it has not published yet")
        print(f"Whetstone already runs at {where} (process {state.get('supervisor', 'unknown')}).")
        return 0
    checks.refuse_full_disk(layout.var, checks.FREE_BYTES_TO_RUN)
    checks.refuse_damaged_seed_model(layout.root)
    checks.refuse_taken_port(host, port)

    def serve(supervisor: Supervisor, services: Services) -> int:
        supervisor.say(f"starting; everything is kept under {layout.var}")
        _start(layout, supervisor, services, host, port, seed=True)
        supervisor.say(f"Whetstone is ready: {supervisor.state['url']}")
        login = layout.run / "login.txt"  # written by the bootstrap command for the demo project
        if login.is_file():
            for line in login.read_text().strip().splitlines():
                supervisor.say(line)
        supervisor.say("Ctrl-C stops everything.")
        supervisor.watch()
        return 0

    try:
        return _supervised(layout, serve)
    finally:
        lock.release()


def demo(layout: Layout, words: list[str]) -> int:
    """Run `manage.py demo` on fresh services of its own, under var/demo, beside a running `up`."""
    checks.refuse_damaged_seed_model(layout.root)
    layout = Layout(layout.root, layout.var / "demo")
    lock = _take_place(layout)
    if lock is None:
        raise Refusal(
            f"A demo already runs (process {read_state(layout).get('supervisor', '?')}): wait for its end."
        )
    host, port = checks.address()
    if not checks.port_is_free(host, port):
        port = checks.any_free_port(host)
    _wipe(layout)
    checks.refuse_full_disk(layout.var, checks.FREE_BYTES_TO_RUN)

    def play(supervisor: Supervisor, services: Services) -> int:
        print("Starting the database, the web server and the workers ...", flush=True)
        _start(layout, supervisor, services, host, port, seed=False)
        env = services.environment() | {
            "WHETSTONE_URL": supervisor.state["url"],
            processes.RUN_MARK: supervisor.run_id,
        }
        env["PYTHONUNBUFFERED"] = "1"
        command = subprocess.Popen(
            [str(a) for a in _manage(layout, "demo", *words)], env=env, cwd=layout.root
        )
        status = supervisor.watch(command.poll)
        if status is None:  # asked to stop
            command.terminate()
            command.wait(10)
            return 130
        if status:
            print(f"The demo ended with status {status}; the logs are under {layout.log}.", file=sys.stderr)
        return int(status)

    try:
        return _supervised(layout, play, quiet=True)
    finally:
        lock.release()


def _wipe(layout: Layout) -> None:
    """A clean start: remove everything of the last demo but the locks."""
    services = Services.of(layout)
    with services.starting():
        services.stop()
    for path in layout.var.iterdir():
        if path != layout.run:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    elsewhere = SYSTEM_STATE / layout.key
    if os.getuid() == 0 and elsewhere.is_dir():
        shutil.rmtree(elsewhere)
    layout.make()


def _tables_sha(layout: Layout, services: Services) -> str:
    """Names the database and the migrations it should have had."""
    database = services.environment()["DATABASE_URL"]
    if services.postgres:  # a cluster made anew is another database at the same address
        database += str((services.postgres.data / "PG_VERSION").stat().st_mtime_ns)
    names = sorted(str(p.relative_to(layout.root)) for p in layout.root.glob("webapp/*/migrations/0*.py"))
    return hashlib.sha256("\n".join([database, *names]).encode()).hexdigest()


def _migrate(layout: Layout, services: Services) -> None:
    """Bring the database's tables up to date, once per database and set of migrations."""
    stamp, wanted = layout.run / MIGRATED, _tables_sha(layout, services)
    with held(layout.run / "migrate.lock"):
        if stamp.is_file() and stamp.read_text() == wanted:
            return
        argv = [str(a) for a in _manage(layout, "migrate", "--no-input", "-v", "0")]
        if subprocess.run(argv, env=services.environment(), cwd=layout.root).returncode:
            raise Refusal("The database could not be migrated; the lines above say why.")
        stamp.write_text(wanted)


def manage(layout: Layout, words: list[str]) -> int:
    """`manage.py` with the services of a running `up`, else with its own for as long as it takes."""
    layout.make()
    lock = FileLock(layout.run / "up.lock")
    state = {} if lock.try_take(shared=True) else read_state(layout)
    lock.release()
    for name in ("DATABASE_URL", "REDIS_URL"):
        if (
            name in state
            and not os.environ.get(name)
            and "host=/" not in state[name]
            and "socket" not in state[name]
        ):
            os.environ[name] = state[name]  # the running one was started with a server from outside
    services = Services.of(layout)
    with running(services):
        if words and words[0] not in NEEDS_NO_TABLES:
            _migrate(layout, services)
        command = subprocess.Popen([str(a) for a in _manage(layout, *words)], env=services.environment())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command itself gets Ctrl-C and decides
        signal.signal(signal.SIGTERM, lambda *_: command.terminate())
        status = command.wait()
    return 128 - status if status < 0 else status
