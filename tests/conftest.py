"""What every test gets: an own database, no way to the network, a plain word on what was not run."""

import fcntl
import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import luck
from tests.browser.binary import CHROMIUM
from webapp.embedded.layout import ROOT, Layout
from webapp.embedded.postgres import NO_DURABILITY, Postgres

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two test processes on two cores
os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings.test"
luck.install()
gc.disable()  # while modules are imported

_LOCAL = ("127.", "::1", "localhost", "0.0.0.0")
_STATE = pytest.StashKey[tuple[Path, Postgres, "subprocess.Popen[bytes]", "subprocess.Popen[bytes]"]]()
_MIGRATING = "WHETSTONE_TEST_MIGRATING"  # names a file that is locked while the template is made
_REASONS = {
    "browser": "no Chromium on PATH",
    "chaos": "only by `make chaos`",
    "gpu": "only by `make gpu`",
    "data": "public data not found",
}


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: a test that reaches for another machine fails at that line."""
    if event == "socket.connect":
        connection, address = arguments
        if getattr(connection, "family", None) == socket.AF_UNIX or not isinstance(address, tuple):
            return
        host = address[0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host
    if name and not str(name).startswith(_LOCAL):
        raise RuntimeError(f"A test tried to reach {name}: tests may use this machine only.")


def pytest_configure(config: pytest.Config) -> None:
    """One database for the whole run; the processes of xdist inherit its address."""
    sys.addaudithook(_refuse_network)
    if not (hasattr(config, "workerinput") or os.environ.get("DATABASE_URL") or config.option.collectonly):
        _start_database(config)
    from django.conf import settings

    assert settings.DATABASES  # read now, with the address in place: pytest-django sets up what is configured


def _start_database(config: pytest.Config) -> None:
    folder = Path(tempfile.mkdtemp(prefix="whetstone-pg-"))
    folder.chmod(0o755)  # the server may run as another user; its own folder below is private
    postgres = Postgres.of(Layout(ROOT, folder), extra=NO_DURABILITY)
    process = postgres.start(folder / "postgres.log", death_signal=signal.SIGQUIT)
    os.environ["DATABASE_URL"] = postgres.url
    (folder / "var" / "static").mkdir(parents=True)
    os.environ.setdefault("WHETSTONE_VAR", str(folder / "var"))
    config.stash[_STATE] = (folder, postgres, process, _make_template(folder))


def _make_template(folder: Path) -> subprocess.Popen[bytes]:
    """Migrations run once, while tests are collected; each process copies the database they made."""
    os.environ[_MIGRATING] = str(folder / "migrating")
    with (folder / "migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        argv = [sys.executable, "-m", "django", "migrate", "--verbosity=0"]
        return subprocess.Popen(argv, cwd=ROOT, pass_fds=[lock.fileno()])  # it holds the lock to its end


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """What the template lacks, should its migrations have failed, the copy's own say."""
    from django.db import connection

    if _MIGRATING in os.environ:
        with Path(os.environ[_MIGRATING]).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
        name = urlsplit(os.environ["DATABASE_URL"]).path.strip("/")
        connection.settings_dict["TEST"]["TEMPLATE"] = name


def pytest_unconfigure(config: pytest.Config) -> None:
    if _STATE in config.stash:
        folder, postgres, process, migrating = config.stash[_STATE]
        migrating.kill()  # where no test needed it
        migrating.wait()
        postgres.stop()
        process.wait()
        del os.environ["DATABASE_URL"], os.environ[_MIGRATING]
        shutil.rmtree(postgres.sockets, ignore_errors=True)
        shutil.rmtree(postgres.data, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with torch come first: they are the longest. Browser tests come last, a file at a time.

    Playwright leaves an event loop running in its process; what is run there afterwards could not have one
    of its own. Without a Chromium they are skipped.
    """
    missing = CHROMIUM is None
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group(f"browser-{item.path.stem}"))
            # On a busy machine a key may come before the page listens. The summary says what was tried again.
            item.add_marker(pytest.mark.flaky(reruns=1))
            if missing:
                item.add_marker(pytest.mark.skip(reason=_REASONS["browser"]))

    def turn(item: pytest.Item) -> int:
        group = item.get_closest_marker("xdist_group")
        name = str(group.args[0]) if group and group.args else ""
        return 0 if name == "torch" else 2 if name.startswith("browser") else 1

    items.sort(key=turn)


def pytest_collection_finish() -> None:
    """What the imports left is there to stay: half a million objects no later collection looks through."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    luck.begin(item.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly which kinds of test did not run, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(
        str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped if report.longrepr
    )
    lines = [f"{count} skipped: {reason}" for reason, count in reasons.most_common()]
    lines += [
        f"failed once, then passed or not: {report.nodeid}"
        for report in terminalreporter.stats.get("rerun", [])
    ]
    expression = terminalreporter.config.option.markexpr
    lines += [f"{kind} tests not run: {_REASONS[kind]}" for kind in _REASONS if f"not {kind}" in expression]
    if lines:
        terminalreporter.section("not run here")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(scope="session", autouse=True)
def _tables_emptied_by_row() -> Iterator[None]:
    """Empties tables after a test that committed by deleting their few rows: truncating every table and then
    writing permissions and content types anew, as Django does, takes twenty times as long."""
    from django.db import connection, transaction
    from django.test import TransactionTestCase

    statements: list[str] = []

    def emptied(_case: TransactionTestCase) -> None:
        if not statements:
            kept = {"django_migrations", "django_content_type", "auth_permission"}
            tables = set(connection.introspection.django_table_names(only_existing=True)) - kept
            # A replica's session fires no triggers: neither those that refuse, nor foreign keys.
            statements.append("SET LOCAL session_replication_role = replica")
            statements.extend(f"DELETE FROM {connection.ops.quote_name(table)}" for table in sorted(tables))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("; ".join(statements))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", emptied)
        yield


@pytest.fixture(scope="session", autouse=True)
def _keys_of_the_tests_own() -> Iterator[None]:
    from django.db import connection
    from django.test import TransactionTestCase

    before = TransactionTestCase._pre_setup.__func__

    def prepared(cls: type[TransactionTestCase]) -> None:
        luck.keys_begin(connection)
        before(cls)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_pre_setup", classmethod(prepared))
        yield


@pytest.fixture(scope="session", autouse=True)
def _replies_leave_at_once() -> None:
    """Django's server sends a reply's head and body apart. The body then waits for the head's receipt, which
    the other side holds back for 40 ms, unless its socket is told not to."""
    from django.core.servers.basehttp import WSGIRequestHandler

    WSGIRequestHandler.disable_nagle_algorithm = True


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The public data sets: WHETSTONE_DATA, else beside the checkout; the test is skipped without them."""
    folder = Path(os.environ.get("WHETSTONE_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(_REASONS["data"])
    return folder


@pytest.fixture
def var_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder that the server's account can reach (pytest's own are private)."""
    folder = Path(tempfile.mkdtemp(prefix="wh-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
