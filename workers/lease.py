"""Keeping a claimed work unit alive while it is worked on, through database restarts.

A heartbeat thread extends the lease and carries progress; the working thread asks `Lease.check` at
every natural pause. `patiently` retries a database write until the database is back: results are
written under a fencing token, so trying again can never write twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from webapp.iterations.services import LeaseLost, Order, unit_heartbeat
from workers import leaving

log = structlog.get_logger()
T = TypeVar("T")
DATABASE_GONE = (OperationalError, InterfaceError)


class Stopped(Exception):
    """The iteration was paused or cancelled, or this worker is to end: give the unit back."""


class Postponed(Exception):
    """Nothing is wrong with the unit, but not now: its lease runs out, and it is taken again."""


def patiently(write: Callable[[], T], *, seconds: float = 90, pause: float = 0.5) -> T:
    """Run a database call, again and again while the database cannot be reached.

    Raises:
        OperationalError, InterfaceError: still unreachable after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return write()
        except DATABASE_GONE:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(pause)


class Lease:
    """Holds one claimed unit: heartbeats in the background while the ``with`` block runs."""

    def __init__(self, unit_id: int, token: Any, *, interval: float | None = None) -> None:
        self.unit_id = unit_id
        self.token = token
        self._interval = interval or min(5.0, settings.WORK_UNIT_LEASE / 4)
        self._progress: dict[str, Any] = {}
        self._counted = 0
        self._order = Order.GO_ON
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{unit_id}", daemon=True)

    def __enter__(self) -> Lease:
        leaving.hold(self.unit_id, self.token)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        leaving.let_go(self.unit_id)

    @property
    def should_stop(self) -> bool:
        return self._order is not Order.GO_ON or leaving.asked()

    @property
    def lost(self) -> bool:
        """Whether the unit was taken over or cancelled: what is done for it now is for nothing."""
        return self._order is Order.LOST

    def report(
        self,
        *,
        done: int | None = None,
        total: int | None = None,
        message: str | None = None,
        progress: dict[str, Any] | None = None,
    ) -> None:
        """Remember progress; the next heartbeat carries it."""
        new = {"done": done, "total": total, "message": message, "progress": progress}
        self._progress |= {k: v for k, v in new.items() if v is not None}

    def count(self, _finished: object) -> None:
        """One more is done, e.g. as `run_method`'s ``on_trace``; stops here as `check` does."""
        self._counted += 1
        self.report(done=self._counted)
        self.check()

    def check(self) -> None:
        """Stop here if the unit is not ours to work on any more.

        Raises:
            Stopped: paused or cancelled, or this worker is to end.
            LeaseLost: another worker has it.
        """
        if self._order is Order.LOST:
            raise LeaseLost(f"unit {self.unit_id} was taken over")
        if self._order is Order.STOP:
            raise Stopped(f"unit {self.unit_id}: the iteration was paused or cancelled")
        if leaving.asked():
            raise Stopped(f"unit {self.unit_id}: this worker was told to end")

    def _beat(self) -> None:
        try:
            while not self._over.wait(self._interval):
                news, self._progress = self._progress, {}
                try:
                    order = unit_heartbeat(unit_id=self.unit_id, token=self.token, **news)
                except DATABASE_GONE as error:
                    log.warning("heartbeat failed, trying again", unit=self.unit_id, error=str(error))
                    connection.close()
                    self._progress = {**news, **self._progress}
                    continue
                # Who was told to stop stops, also when it was thought better of: the unit is claimed again.
                # It stays ours meanwhile: a trainer may need minutes to reach its next checkpoint.
                if self._order is Order.GO_ON or order is Order.LOST:
                    self._order = order
                if self._order is Order.LOST:
                    return
        finally:
            connection.close()  # this thread's own
