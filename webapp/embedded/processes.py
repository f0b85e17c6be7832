"""Starting and ending other programs so that none is left behind."""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

RUN_MARK = "WHETSTONE_RUN_ID"  # every process of one supervisor carries it, grandchildren too
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Account:
    """The operating-system user a server runs as."""

    uid: int
    gid: int


def unprivileged() -> Account | None:
    """`nobody` when we are root (PostgreSQL refuses to run as root), else None: stay who we are."""
    if os.getuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid)


def _die_with_parent(parent: int, death_signal: int) -> Callable[[], None] | None:
    """A hook for the child: the kernel sends `death_signal` when the parent is gone (Linux).

    It runs after the change of user, which would clear the setting. The signal follows the parent's
    *thread*, so call `spawn` from the main thread only.
    """
    if _LIBC is None:
        return None

    def hook() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # the parent died between fork and prctl
            os._exit(1)

    return hook


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: int | IO[bytes],
    account: Account | None = None,
    death_signal: int | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a program in its own session, so that a terminal's Ctrl-C reaches only the supervisor."""
    return subprocess.Popen(
        [str(a) for a in argv],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        preexec_fn=_die_with_parent(os.getpid(), death_signal) if death_signal else None,  # noqa: PLW1509  the hook takes no lock
    )


def alive(pid: int) -> bool:
    """True while the process runs; a zombie counts as gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return sys.platform != "linux"
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def command_line(pid: int) -> str:
    """The process's command line, empty if it cannot be read."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def all_pids() -> Iterable[int]:
    """Every process id on this machine (Linux; empty elsewhere)."""
    return (
        (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()) if sys.platform == "linux" else ()
    )


def marked(run_id: str) -> list[int]:
    """Every living process that inherited the mark of the supervisor run `run_id`, but ourselves."""
    needle = f"{RUN_MARK}={run_id}".encode()
    found = []
    for pid in all_pids():
        with contextlib.suppress(OSError):
            if needle in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
    return [pid for pid in found if pid != os.getpid() and alive(pid)]


def works_in(pid: int, folder: Path) -> bool:
    """Whether the process's current folder is `folder`: a reused pid belongs to somebody else."""
    if sys.platform != "linux":
        return True
    try:
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    except OSError:
        return False


def working_in(folder: Path) -> list[int]:
    """Living processes whose current folder is `folder` (a server's orphaned helpers)."""
    return [pid for pid in all_pids() if works_in(pid, folder) and alive(pid)]


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each, those already gone passed over."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def wait_gone(pids: Iterable[int], seconds: float) -> list[int]:
    """Wait until all have ended; returns those still alive when the time is over."""
    left, end = list(pids), time.monotonic() + seconds
    while left := [pid for pid in left if alive(pid)]:
        if time.monotonic() > end:
            break
        time.sleep(0.02)
    return left


def clear_leftovers(run_id: str) -> int:
    """End whatever a killed supervisor left running; returns how many there were."""
    found = marked(run_id)
    if found:
        send(found, signal.SIGTERM)
        servers = [pid for pid in found if "postgres" in command_line(pid)]
        send(servers, signal.SIGINT)  # fast shutdown: SIGTERM alone would wait for open sessions
        send(wait_gone(found, 8), signal.SIGKILL)
        wait_gone(found, 2)
    return len(found)
