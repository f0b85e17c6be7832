"""The embedded servers, shared by every command of one state folder.

`up` runs them as its children. A single command (`./run manage ...`) starts them if nobody has, and the
last command to end stops them. Who uses them is a shared file lock, so a killed command is never counted.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from webapp.embedded import checks, processes
from webapp.embedded.layout import Layout, forget_sockets, socket_folder
from webapp.embedded.locks import FileLock, held
from webapp.embedded.postgres import Postgres
from webapp.embedded.refusal import Refusal
from webapp.embedded.supervisor import Program, Supervisor
from webapp.embedded.valkey import Valkey


@dataclass(frozen=True)
class Services:
    """The servers of a state folder; None where an address was given from outside."""

    layout: Layout
    postgres: Postgres | None
    valkey: Valkey | None

    @classmethod
    def of(cls, layout: Layout) -> "Services":
        layout.make()
        postgres = None if os.environ.get("DATABASE_URL") else Postgres.of(layout)
        valkey = None
        if not os.environ.get("REDIS_URL"):
            valkey = Valkey.of(layout, postgres.sockets if postgres else socket_folder(layout, os.getuid()))
        return cls(layout, postgres, valkey)

    def environment(self) -> dict[str, str]:
        """What a child of ours needs to find everything."""
        return {
            **os.environ,
            "DATABASE_URL": self.postgres.url if self.postgres else os.environ["DATABASE_URL"],
            "REDIS_URL": self.valkey.url if self.valkey else os.environ["REDIS_URL"],
            "WHETSTONE_VAR": str(self.layout.var),
            "VIRTUAL_ENV": str(self.layout.venv),
        }

    def refuse_bad_addresses(self) -> None:
        """Try the addresses that were given from outside."""
        if self.postgres is None:
            checks.refuse_bad_database(self.layout, os.environ["DATABASE_URL"])
        if self.valkey is None:
            checks.refuse_bad_broker(self.layout, os.environ["REDIS_URL"])

    def starting(self) -> contextlib.AbstractContextManager[None]:
        """Held while servers are started or stopped, by one command at a time."""
        return held(self.layout.run / "services.lock")

    def user(self) -> FileLock:
        """Held, shared, by everybody who uses the servers."""
        return FileLock(self.layout.run / "users.lock")

    def start(self) -> None:
        """Start what is not running. Call inside `starting`."""
        if self.postgres:
            if self.postgres.ending():
                processes.wait_gone([self.postgres.pid() or 0], 15)
            if not self.postgres.ready():
                self.postgres.start(self.layout.log / "postgres.log")
        if self.valkey and not self.valkey.ready():
            self.valkey.start(self.layout.log / "valkey.log")

    def stop(self) -> None:
        if self.valkey:
            self.valkey.stop()
        if self.postgres:
            self.postgres.stop()
        self.forget_sockets()

    def forget_sockets(self) -> None:
        """Leave no empty folder behind in the system's temporary folder."""
        for socket in (self.postgres and self.postgres.sockets, self.valkey and self.valkey.socket.parent):
            if socket:
                forget_sockets(socket)

    def programs(self) -> list[Program]:
        """The servers as a supervisor's programs; one that a single command started is adopted."""
        programs = []
        if self.postgres:
            programs.append(_postgres_program(self.postgres))
        if self.valkey:
            programs.append(_valkey_program(self.valkey))
        return programs

    def start_under(self, supervisor: Supervisor) -> None:
        """Start the servers as children of `up` and wait until they answer."""
        with self.starting():
            for program in self.programs():
                supervisor.start(program)
                if not supervisor.wait_ready(program.name, 60) and not supervisor.stop_asked.is_set():
                    raise Refusal(f"{program.name} did not start; see {self.layout.log / program.name}.log.")


def _postgres_program(postgres: Postgres) -> Program:
    def prepare() -> int | None:
        if postgres.ending():
            processes.wait_gone([postgres.pid() or 0], 15)
        if postgres.ready():
            return postgres.pid()
        postgres.prepare()
        return None

    return Program(
        name="postgres",
        argv=postgres.argv(),
        env=postgres.environment(),
        cwd=Path("/"),
        account=postgres.account,
        stop_signal=signal.SIGINT,
        stop_seconds=15,
        stop_last=True,
        prepare=prepare,
        ready=postgres.ready,
    )


def _valkey_program(valkey: Valkey) -> Program:
    def prepare() -> int | None:
        if valkey.ready():
            return valkey.pid()
        valkey.prepare()
        return None

    return Program(
        name="valkey",
        argv=valkey.argv(),
        env=os.environ,
        cwd=valkey.data,
        stop_last=True,
        prepare=prepare,
        ready=valkey.ready,
    )


@contextlib.contextmanager
def running(services: Services) -> Iterator[None]:
    """The servers run inside this block; the last user to leave stops them."""
    services.refuse_bad_addresses()
    user = services.user()
    with services.starting():
        user.take(shared=True)
        services.start()
    try:
        yield
    finally:
        with services.starting():
            user.release()
            last = services.user()
            if last.try_take():
                services.stop()
            last.release()
