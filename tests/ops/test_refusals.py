"""What can be wrong with a machine or its settings gets one clear sentence and the right status."""

import socket
import threading
from collections import namedtuple

import pytest

from webapp.embedded import checks, cli, install
from webapp.embedded.layout import ROOT


@pytest.fixture(autouse=True)
def own_state(monkeypatch, var_folder):
    """`./run` in this process, with an empty state folder and nothing to install."""
    monkeypatch.setattr(install, "setup", lambda *_, **__: None)
    monkeypatch.setenv("WHETSTONE_VAR", str(var_folder))
    for name in ("DATABASE_URL", "REDIS_URL", "WHETSTONE_PORT", "WHETSTONE_HOST"):
        monkeypatch.delenv(name, raising=False)


def refused(capsys, *words):
    """Run a command that must fail; returns its status and the one line it said."""
    status = cli.main(list(words))
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1, said
    return status, said[0]


def test_a_taken_port(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("WHETSTONE_PORT", str(port))
        status, said = refused(capsys, "up")
    assert status == 1
    assert said.startswith(f"Port {port} on 127.0.0.1 is taken by another program")


@pytest.mark.parametrize("port", ["eighty", "0", "70000"])
def test_a_port_that_is_none(monkeypatch, capsys, port):
    monkeypatch.setenv("WHETSTONE_PORT", port)
    assert refused(capsys, "up") == (2, f"WHETSTONE_PORT is {port!r}: give a port number from 1 to 65535.")


def test_an_unreachable_database(monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    monkeypatch.setenv("DATABASE_URL", f"postgresql://me:secret@127.0.0.1:{port}/whetstone")
    status, said = refused(capsys, "manage", "check")
    assert status == 2
    assert "refused" in said
    assert "secret" not in said


def test_a_database_of_another_kind(monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", "mysql://localhost/whetstone")
    status, said = refused(capsys, "manage", "check")
    assert (status, said) == (
        2,
        "DATABASE_URL is 'mysql://localhost/whetstone': give a postgresql:// address.",
    )


def test_a_wrong_password(monkeypatch, capsys):
    def say_no(server):
        connection, _ = server.accept()
        with connection:
            if connection.recv(1024)[4:8] == b"\x04\xd2\x16\x2f":  # the client asks for TLS first
                connection.sendall(b"N")
                connection.recv(1024)
            fields = b'SFATAL\0C28P01\0Mpassword authentication failed for user "me"\0\0'
            connection.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=say_no, args=(server,), daemon=True).start()
        monkeypatch.setenv("DATABASE_URL", f"postgresql://me:x@127.0.0.1:{server.getsockname()[1]}/whetstone")
        status, said = refused(capsys, "manage", "check")
    assert status == 2
    assert 'password authentication failed for user "me"' in said


def test_an_unreachable_broker(monkeypatch, capsys, var_folder):
    monkeypatch.setenv("DATABASE_URL", "postgresql:///unused")
    monkeypatch.setattr(checks, "refuse_bad_database", lambda *_: None)
    monkeypatch.setenv("REDIS_URL", f"redis+socket://{var_folder}/nobody.sock")
    status, said = refused(capsys, "manage", "check")
    assert status == 2
    assert said.startswith("REDIS_URL redis+socket://")


def test_no_disk_space(monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: usage(2**30, 2**30, 5 * 2**20))
    status, said = refused(capsys, "up")
    assert status == 1
    assert said.startswith("Only 5 MB are free under ")


def test_the_disk_fills_up_on_the_way(monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "var/run/state.json")

    monkeypatch.setattr(install, "setup", full)
    assert refused(capsys, "up") == (
        1,
        "The disk is full (var/run/state.json): free some space and run this again.",
    )


def test_a_missing_tool(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("webapp.embedded.postgres.PACKAGES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    status, said = refused(capsys, "manage", "check")
    assert status == 1
    assert said.startswith("No PostgreSQL found")


def test_an_unknown_benchmark(capsys):
    status, said = refused(capsys, "bench", "no-such-thing")
    assert status == 2
    assert "no-such-thing" in said


def test_an_unknown_command_is_a_usage_error():
    with pytest.raises(SystemExit) as stopped:
        cli.main(["fly"])
    assert stopped.value.code == 2


def test_python_that_is_too_old_is_told_before_newer_syntax_is_read():
    lines = (ROOT / "run").read_text()
    assert lines.index("sys.version_info < (3, 11)") < lines.index("from webapp")
