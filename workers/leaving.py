"""Leaving in good order: a worker that is told to end gives back the units it holds.

Without this a restart would wait for their leases to run out. One process-wide flag turns every
`workers.lease.Lease.check` into a stop; who has not stopped soon has its unit given back from outside,
and the fencing token keeps its late results out.
"""

from __future__ import annotations

import threading
from typing import Any

import structlog
from celery.signals import worker_shutdown, worker_shutting_down
from django.db import connection

from webapp.iterations.services import unit_release

log = structlog.get_logger()
# Seconds a stage has to stop by itself; the supervisor kills two seconds later.
PATIENCE = 3.0

_asked = threading.Event()
_held: dict[int, Any] = {}  # unit id -> token


def asked() -> bool:
    """Whether this process was told to end: take nothing new, give back what is held."""
    return _asked.is_set()


def hold(unit_id: int, token: Any) -> None:
    _held[unit_id] = token


def let_go(unit_id: int) -> None:
    _held.pop(unit_id, None)


def give_back() -> None:
    """Release every unit still held; work on it may go on, and its results will be dropped."""
    try:
        for unit_id, token in list(_held.items()):
            unit_release(unit_id=unit_id, token=token)
            log.info("unit given back on leaving", unit=unit_id)
    except Exception:  # the last deed of a process: nobody is left to hear of it, the lease runs out
        log.exception("units could not be given back")
    finally:
        connection.close()  # this thread's own


@worker_shutting_down.connect
def leave(**_: Any) -> None:
    """Called from the signal handler: only ask, and see to it later from a thread."""
    if asked():
        return
    _asked.set()
    timer = threading.Timer(PATIENCE, give_back)
    timer.daemon = True
    timer.start()


@worker_shutdown.connect
def left(**_: Any) -> None:
    give_back()
