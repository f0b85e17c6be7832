"""The heartbeat of the loop: every second, look at what is due. One process; a second one does no harm."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import structlog
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import timezone

from webapp.annotate.services import assignments_sweep, regenerations_sweep
from webapp.annotate.services.searching import search_fill, search_mend
from webapp.iterations.services import open_iterations_tick, storage_clean, units_sweep
from webapp.metrics.services.beats import beats_clean, storage_measure, worker_beat, worker_leave
from webapp.notices.services import deliveries_send
from webapp.playground.services import turns_sweep
from webapp.schedules.services import schedules_look

log = structlog.get_logger()
SECONDS = 1.0
CLEAN_EVERY = timedelta(hours=1)
REPORT_EVERY = timedelta(seconds=10)


class Command(BaseCommand):
    help = (
        "Every second: move open iterations, re-announce work, take back leases, make tasks searchable, "
        "start what schedules say, remove what nothing needs. Beside it: send notices, measure storage."
    )

    mended = 0  # up to which task gaps in the full text were looked for
    clean_at = datetime.min.replace(tzinfo=UTC)
    report_at = datetime.min.replace(tzinfo=UTC)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.started_at = timezone.now()
        self.host, self.pid = socket.gethostname()[:80], os.getpid()
        self.name = f"scheduler@{self.host}:{self.pid}"

    def handle(self, *args: Any, **options: Any) -> None:
        over = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: over.set())
        # A mail server that takes its time must not hold up the loop. What a stop interrupts is sent later.
        threading.Thread(target=self.send, args=(over,), daemon=True).start()
        threading.Thread(target=self.measure, args=(over,), daemon=True).start()
        while not over.wait(SECONDS):
            self.beat()
        with contextlib.suppress(OperationalError, InterfaceError):
            worker_leave(name=self.name)

    def beat(self) -> None:
        """One round. Each part fails by itself: a broken iteration must not stop the others' leases."""
        close_old_connections()
        parts = (
            open_iterations_tick,
            units_sweep,
            lambda: assignments_sweep(now=timezone.now()),
            lambda: regenerations_sweep(now=timezone.now()),
            lambda: turns_sweep(now=timezone.now()),
            schedules_look,
            search_fill,
            self.mend,
            self.clean,
            self.report,
        )
        for part in parts:
            try:
                part()
            except (OperationalError, InterfaceError) as error:
                log.warning("the database cannot be reached, trying again", error=str(error))
                connection.close()
                return
            except Exception:
                log.exception("scheduler round failed")

    def mend(self) -> None:
        self.mended = search_mend(self.mended)

    def clean(self) -> None:
        """Weights, checkpoints and exports that nothing needs, every hour."""
        if timezone.now() >= self.clean_at:
            self.clean_at = timezone.now() + CLEAN_EVERY
            storage_clean(now=timezone.now(), delete=True)
            beats_clean(now=timezone.now())

    def report(self) -> None:
        """Say that the scheduler lives: without it nothing that waits for a wake-up goes on."""
        now = timezone.now()
        if now >= self.report_at:
            self.report_at = now + REPORT_EVERY
            worker_beat(
                name=self.name,
                queue="scheduler",
                host=self.host,
                pid=self.pid,
                memory=psutil.Process().memory_info().rss,
                started_at=self.started_at,
                seen_at=now,
            )

    def measure(self, over: threading.Event) -> None:
        """How much lies in the folders, every hour, in a thread: walking through many files takes a while."""
        while True:
            close_old_connections()
            try:
                storage_measure(now=timezone.now())
            except (OperationalError, InterfaceError) as error:
                log.warning("sizes cannot be noted, trying again in an hour", error=str(error))
            except Exception:
                log.exception("the folders could not be measured")
            finally:
                connection.close()
            if over.wait(CLEAN_EVERY.total_seconds()):
                return

    def send(self, over: threading.Event) -> None:
        """Notices, in a thread and on a connection of its own."""
        while not over.wait(SECONDS):
            close_old_connections()
            try:
                deliveries_send()
            except (OperationalError, InterfaceError) as error:
                log.warning("notices cannot be read, trying again", error=str(error))
                connection.close()
            except Exception:
                log.exception("notices could not be sent")
