"""A worker says that it lives, what it does and what it needs: every ten seconds, from a thread of its own.

Nothing waits for a beat and nothing rests on it: work is kept by leases. So whatever goes wrong here is
logged and tried again ten seconds later.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psutil
import structlog
from celery.signals import worker_ready, worker_shutdown
from django.db import connection

from webapp.metrics.services.beats import worker_beat, worker_leave
from workers.accelerators import accelerators_read

log = structlog.get_logger()
EVERY = 10.0  # seconds
POINT_EVERY = 60.0
POINTS = 60  # one hour
WITHOUT_MODEL = "light"  # its workers need no accelerator, so they do not ask for any

Point = list[float | int | None]  # unix time, processor share, device share, device bytes


@dataclass
class Counts:
    """What this process has done since it started. Written by working threads, read by the beat's."""

    done: int = 0
    failed: int = 0
    at: dict[int, int] = field(default_factory=dict)  # thread -> unit at work
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def working(self, unit_id: int) -> Iterator[None]:
        with self._lock:
            self.at[threading.get_ident()] = unit_id
        try:
            yield
        finally:
            with self._lock:
                del self.at[threading.get_ident()]

    def add(self, *, done: int = 0, failed: int = 0) -> None:
        with self._lock:
            self.done += done
            self.failed += failed

    @property
    def unit(self) -> int | None:
        """One of those at work: the one begun first."""
        with self._lock:
            return next(iter(self.at.values()), None)


counts = Counts()


@dataclass
class Beat:
    """Reports one process. ``read`` gives its accelerators; ``clock`` the seconds since the epoch."""

    queue: str
    read: Callable[[], list[dict[str, Any]]] = accelerators_read
    clock: Callable[[], float] = time.time
    counts: Counts = field(default_factory=lambda: counts)
    host: str = field(default_factory=lambda: socket.gethostname()[:80])
    pid: int = field(default_factory=os.getpid)

    def __post_init__(self) -> None:
        self.started = self.clock()
        self.recent: deque[Point] = deque(maxlen=POINTS)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)
        self._spent, self._spent_at = self._processor(), self.started  # at the last point

    @property
    def name(self) -> str:
        return f"{self.queue}@{self.host}:{self.pid}"[:120]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Leave in good order: the row goes. A killed process leaves its row, and is shown as gone."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=0.5)
        self._try(lambda: worker_leave(name=self.name))

    def beat(self) -> None:
        now = self.clock()
        devices = [] if self.queue == WITHOUT_MODEL else self.read()
        if not self.recent or now - self._spent_at >= POINT_EVERY:
            self.recent.append(self._point(now, devices))
        worker_beat(
            name=self.name,
            queue=self.queue,
            host=self.host,
            pid=self.pid,
            unit_id=self.counts.unit,
            done=self.counts.done,
            failed=self.counts.failed,
            memory=round(_family_sum(self.pid, lambda process: process.memory_info().rss)),
            devices=devices,
            recent=list(self.recent),
            started_at=datetime.fromtimestamp(self.started, UTC),
            seen_at=datetime.fromtimestamp(now, UTC),
        )

    def _run(self) -> None:
        try:
            self._try(self.beat)
            while not self._over.wait(EVERY):
                self._try(self.beat)
        finally:
            connection.close()  # this thread's own

    def _try(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Exception as error:  # whatever it is, work goes on
            log.warning("not reported, trying again", worker=self.name, error=str(error))
            connection.close()

    def _point(self, now: float, devices: list[dict[str, Any]]) -> Point:
        spent, passed = self._processor(), now - self._spent_at
        share = (spent - self._spent) / passed / (psutil.cpu_count() or 1) if passed > 0 else 0.0
        self._spent, self._spent_at = spent, now
        busy = [d["utilisation"] for d in devices if d["utilisation"] is not None]
        held = [d["memory_used"] for d in devices if d["memory_used"] is not None]
        return [
            round(now),
            round(min(max(share, 0.0), 1.0), 3),
            round(sum(busy) / len(busy), 3) if busy else None,
            sum(held) if held else None,
        ]

    def _processor(self) -> float:
        """Seconds of processor time of the process and its children, those included that have ended."""
        return _family_sum(self.pid, lambda process: sum(process.cpu_times()[:4]))


def _family_sum(pid: int, what: Callable[[psutil.Process], float]) -> float:
    total = 0.0
    own = psutil.Process(pid)
    for process in (own, *own.children(recursive=True)):
        try:
            total += what(process)
        except psutil.Error:  # a child that ended meanwhile
            continue
    return total


_beats: list[Beat] = []  # of this process: one, once Celery has said that it is ready


@worker_ready.connect
def begin(sender: Any = None, **_: Any) -> None:
    queues = sorted(sender.app.amqp.queues.consume_from)
    beat = Beat(queues[0] if len(queues) == 1 else "several")
    _beats.append(beat)
    beat.start()


@worker_shutdown.connect
def end(**_: Any) -> None:
    while _beats:
        _beats.pop().stop()
