"""Keeps a handful of programs running: starts in order, restarts what dies, stops all, leaves none behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from webapp.embedded import processes
from webapp.embedded.processes import Account

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a restart: doubled each time, capped
HEALTHY_AFTER = 30.0  # seconds of life after which the pause starts small again
LOG_BYTES = 10 * 2**20  # a log larger than this at start is set aside
COLOURS = (36, 33, 32, 35, 34, 31, 96, 93, 92, 95)


@dataclass(frozen=True)
class Program:
    """What to run. `prepare` runs before every start and may return a running process to adopt."""

    name: str
    argv: Sequence[str | Path]
    env: Mapping[str, str]
    cwd: Path
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 5.0
    stop_last: bool = False  # servers that the others need
    prepare: Callable[[], int | None] | None = None
    ready: Callable[[], bool] | None = None


@dataclass
class _Child:
    program: Program
    process: "subprocess.Popen[bytes] | None" = None
    adopted: int | None = None  # started by somebody else: watched by its pid
    started: float = 0.0
    pause: float = FIRST_PAUSE
    restart_at: float | None = None
    restarts: int = 0
    reader: threading.Thread | None = field(default=None, repr=False)

    @property
    def pid(self) -> int | None:
        return self.adopted if self.process is None else self.process.pid

    def running(self) -> bool:
        if self.process is not None:
            return self.process.poll() is None
        return self.adopted is not None and processes.alive(self.adopted)


class Stopped(Exception):
    """A stop was asked for while something was still starting."""


class Supervisor:
    """Call everything from the main thread: children are tied to the thread that started them.

    `state` holds what others may want to know (address, URLs); it is written to `state_file` with the
    pids whenever one changes.
    """

    def __init__(self, *, log: Path, state_file: Path, run_id: str, quiet: bool = False) -> None:
        self._log, self._state_file, self._quiet = log, state_file, quiet
        self.run_id = run_id
        self.state: dict[str, Any] = {}
        self.stop_asked = threading.Event()
        self._children: dict[str, _Child] = {}
        self._colour: dict[str, int] = {}
        self._write_lock = threading.Lock()
        self._tty = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    # What is said -------------------------------------------------------------------------------

    def say(self, text: str, name: str = "whetstone") -> None:
        """One line on the terminal, prefixed with who says it."""
        label = f"{name:<13}|"
        if self._tty:
            colour = self._colour.setdefault(name, COLOURS[len(self._colour) % len(COLOURS)])
            label = f"\x1b[{colour}m{label}\x1b[0m"
        with self._write_lock:
            try:
                print(label, text, flush=True)
            except (BrokenPipeError, OSError, ValueError):
                self.stop_asked.set()  # nobody listens any more: the terminal is gone

    def _log_file(self, name: str) -> IO[bytes]:
        path = self._log / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")

    def _copy_output(self, name: str, source: IO[bytes]) -> threading.Thread:
        """Copy a child's output to its log and, prefixed, to the terminal."""
        log = self._log_file(name)

        def copy() -> None:
            with source, log:
                for line in iter(source.readline, b""):
                    try:
                        log.write(line)
                        log.flush()
                    except OSError:
                        pass  # a full disk must not block the child on a full pipe
                    if not self._quiet:
                        self.say(line.decode(errors="replace").rstrip("\n"), name)

        thread = threading.Thread(target=copy, name=f"log-{name}", daemon=True)
        thread.start()
        return thread

    # Starting -----------------------------------------------------------------------------------

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        return {**env, processes.RUN_MARK: self.run_id, "PYTHONUNBUFFERED": "1"}

    def start(self, program: Program) -> None:
        """Start a program and keep it running from now on."""
        child = self._children.setdefault(program.name, _Child(program))
        self._launch(child)

    def _launch(self, child: _Child) -> None:
        program = child.program
        child.restart_at, child.started = None, time.monotonic()
        child.process = None
        child.adopted = program.prepare() if program.prepare else None
        if child.adopted is None:
            child.process = processes.spawn(
                program.argv,
                env=self._environment(program.env),
                cwd=program.cwd,
                output=subprocess.PIPE,
                account=program.account,
                # SIGINT means "fast shutdown" to PostgreSQL; nothing else may outlive us at all.
                death_signal=program.stop_signal if program.stop_last else signal.SIGKILL,
            )
            assert child.process.stdout
            child.reader = self._copy_output(program.name, child.process.stdout)
        self.write_state()

    def wait_ready(self, name: str, seconds: float) -> bool:
        """Wait until the program says it is ready, restarting it meanwhile if it dies."""
        ready = self._children[name].program.ready
        assert ready
        return self.watch(lambda: ready() or None, seconds) is not None

    def run_once(self, name: str, argv: Sequence[str | Path], env: Mapping[str, str], cwd: Path) -> int:
        """Run a command to its end while the others are watched; returns its exit status."""
        process = processes.spawn(
            argv, env=self._environment(env), cwd=cwd, output=subprocess.PIPE, death_signal=signal.SIGKILL
        )
        assert process.stdout
        reader = self._copy_output(name, process.stdout)
        try:
            status = self.watch(process.poll)
        finally:
            if process.poll() is None:
                _end_group(process.pid, signal.SIGTERM, 3)
                process.wait()
        reader.join(2)
        if status is None:
            raise Stopped
        return int(status)

    # Watching -----------------------------------------------------------------------------------

    def watch(self, until: Callable[[], Any] | None = None, seconds: float | None = None) -> Any:
        """Restart what dies, until `until` gives something; None when the time is over or a stop is asked."""
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            if until is not None and (result := until()) is not None:
                return result
            if self.stop_asked.is_set() or (end is not None and time.monotonic() > end):
                return None
            self._tend()
            self.stop_asked.wait(0.05 if until else 0.2)

    def _tend(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.restart_at is not None:
                if now >= child.restart_at:
                    child.restarts += 1
                    self._try_launch(child)
            elif not child.running():
                self._plan_restart(child, _how(child.process))

    def _try_launch(self, child: _Child) -> None:
        try:
            self._launch(child)
        except Exception as error:  # a full disk, a missing file: the next try may find it mended
            self._plan_restart(child, f"could not start: {error}")

    def _plan_restart(self, child: _Child, why: str) -> None:
        now = time.monotonic()
        if child.process is not None:
            processes.send(_group(child.process.pid), signal.SIGKILL)  # what the dead one left in its session
        if now - child.started > HEALTHY_AFTER:
            child.pause = FIRST_PAUSE
        self.say(f"{child.program.name} {why}; it is started again in {child.pause:g} s")
        child.restart_at = now + child.pause
        child.pause = min(child.pause * 2, LONGEST_PAUSE)

    # Stopping -----------------------------------------------------------------------------------

    def ask_stop(self, *_: object) -> None:
        """Signal handler: only a flag, so that no child is started and forgotten."""
        self.stop_asked.set()

    def stop_all(self) -> None:
        """End every program and everything they started, servers last."""
        for last in (False, True):
            children = [c for c in self._children.values() if c.program.stop_last is last and c.running()]
            for child in children:
                processes.send([child.pid or 0], child.program.stop_signal)
            end = time.monotonic() + max((c.program.stop_seconds for c in children), default=0)
            while any(c.running() for c in children) and time.monotonic() < end:
                time.sleep(0.02)
            for child in children:
                if child.running():
                    processes.send(_group(child.pid or 0) or [child.pid or 0], signal.SIGKILL)
            if not last:  # grandchildren in sessions of their own, before their database goes
                keep = {c.pid for c in self._children.values() if c.program.stop_last}
                processes.send(
                    [p for p in processes.marked(self.run_id) if p not in keep and not _serves(p, keep)], 9
                )
        processes.send(processes.marked(self.run_id), signal.SIGKILL)
        for child in self._children.values():
            if child.process is not None:
                child.process.wait()
            if child.reader is not None:
                child.reader.join(1)
        self._state_file.unlink(missing_ok=True)

    def write_state(self) -> None:
        """Publish addresses and pids, whole or not at all."""
        children = {
            name: {"pid": child.pid, "restarts": child.restarts}
            for name, child in self._children.items()
            if child.pid
        }
        state = {"supervisor": os.getpid(), "run_id": self.run_id, **self.state, "children": children}
        part = self._state_file.with_suffix(".new")
        part.write_text(json.dumps(state, indent=2) + "\n")
        part.replace(self._state_file)


def _group(leader: int) -> list[int]:
    """The processes of a session that `leader` began (it may be gone itself)."""
    found = []
    for pid in processes.all_pids():
        try:
            if os.getsid(pid) == leader and processes.alive(pid):
                found.append(pid)
        except OSError:
            continue
    return found


def _serves(pid: int, servers: set[int | None]) -> bool:
    """True for a helper process of one of the servers."""
    try:
        return os.getsid(pid) in servers
    except OSError:
        return False


def _end_group(leader: int, number: int, seconds: float) -> None:
    processes.send([leader], number)
    processes.wait_gone([leader], seconds)
    processes.send(_group(leader), signal.SIGKILL)


def _how(process: "subprocess.Popen[bytes] | None") -> str:
    status = None if process is None else process.returncode
    if status is None:
        return "ended"
    if status < 0:
        return f"was ended by signal {-status}"
    return f"ended with status {status}"
