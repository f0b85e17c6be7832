"""The embedded database: starts from nothing, survives kill -9, says clearly what it cannot do."""

import os
import shutil
import signal
import stat
import tempfile
from pathlib import Path

import psycopg
import pytest

from webapp.embedded import processes
from webapp.embedded.layout import Layout, make_private
from webapp.embedded.postgres import NO_DURABILITY, Postgres
from webapp.embedded.refusal import Refusal

AS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root changes accounts")


@pytest.fixture
def postgres(layout):
    made = Postgres.of(layout)
    yield made
    made.stop()
    shutil.rmtree(made.sockets, ignore_errors=True)


def test_it_starts_from_nothing_and_kill_9_loses_nothing_committed(postgres, layout):
    log = layout.log / "postgres.log"
    part = postgres.data.with_name("postgres.new")
    part.mkdir()
    (part / "PG_VERSION").write_text("18\n")  # what a killed initdb leaves
    process = postgres.start(log, death_signal=signal.SIGQUIT)
    assert not part.exists()
    assert postgres.pid() == process.pid
    assert stat.S_IMODE(postgres.sockets.stat().st_mode) == 0o700
    if os.getuid() == 0:
        assert Path(f"/proc/{process.pid}").stat().st_uid == processes.unprivileged().uid
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        assert connection.execute("select current_database()").fetchone() == ("whetstone",)
        assert connection.execute("show fsync").fetchone() == ("on",)
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        connection.execute("create table t as select 42 as answer")
        process.kill()
        process.wait()
    assert not postgres.ready()  # its stale pid file does not fool us
    again = postgres.start(log, death_signal=signal.SIGQUIT)
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("select answer from t").fetchone() == (42,)
    postgres.stop()
    assert again.wait() == 0
    assert postgres.pid() is None


def test_a_stale_pid_file_of_a_living_stranger_is_not_believed(postgres):
    postgres.data.mkdir()
    (postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n\n\n\n\n\n\nready\n")
    assert postgres.pid() is None


@pytest.mark.parametrize(
    ("version", "sentence"), [("11", "made by PostgreSQL 11"), (None, "not a PostgreSQL data")]
)
def test_data_it_cannot_use_is_refused(postgres, version, sentence):
    postgres.data.mkdir()
    if version:
        (postgres.data / "PG_VERSION").write_text(version + "\n")
    with pytest.raises(Refusal, match=sentence):
        postgres.prepare()


def test_a_planted_socket_folder_is_refused(tmp_path):
    link = tmp_path / "sockets"
    link.symlink_to(tmp_path)
    with pytest.raises(Refusal, match="belongs to somebody else"):
        make_private(link, os.getuid())


@AS_ROOT
def test_a_checkout_that_nobody_cannot_enter_keeps_its_data_elsewhere(monkeypatch, eventually):
    private = Path(tempfile.mkdtemp(prefix="wh-private-"))  # 0700, root's
    elsewhere = Path(tempfile.mkdtemp(prefix="wh-state-"))
    elsewhere.chmod(0o755)
    monkeypatch.setattr("webapp.embedded.postgres.SYSTEM_STATE", elsewhere / "state")
    monkeypatch.setattr("webapp.embedded.postgres.SYSTEM_CACHE", elsewhere / "cache")
    site = private / ".venv" / "lib" / "python3.11" / "site-packages"
    real = Postgres.of(Layout(Path(__file__).resolve().parents[2], elsewhere)).binaries.parent
    for folder in real.parent.parent.glob(f"{real.parent.name}*"):
        if folder.suffix != ".dist-info":
            shutil.copytree(folder, site / folder.name, symlinks=True)
    layout = Layout(private, private / "var")
    layout.make()
    postgres = Postgres.of(layout, NO_DURABILITY)
    process = None
    try:
        assert postgres.data.parent == elsewhere / "state"
        assert elsewhere / "cache" in postgres.binaries.parents
        process = postgres.start(layout.log / "postgres.log", death_signal=signal.SIGQUIT)
        psycopg.connect(postgres.url).close()
        assert Postgres.of(layout).data == postgres.data  # the next command finds it
    finally:
        postgres.stop()
        if process:
            process.wait()
        for folder in (private, elsewhere, postgres.sockets):
            shutil.rmtree(folder, ignore_errors=True)
