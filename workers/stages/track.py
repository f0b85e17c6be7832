"""TRACK: tell the tracker of the settings what a finished iteration came to."""

from __future__ import annotations

from typing import Any

import structlog
from django.conf import settings

from webapp.iterations.services import unit_completion, unit_heartbeat
from webapp.metrics.selectors import tracked
from workers.lease import DATABASE_GONE, Lease, patiently
from workers.tracking import TrackerMissing, send

log = structlog.get_logger()
TRIES = 5  # one fewer than a unit has attempts: the last one's error is what is kept


def run(unit: Any, lease: Lease) -> None:
    lease.report(message=f"sending to {settings.TRACKER}")
    iteration = tracked(unit.payload["iteration_id"])
    if iteration is not None and settings.TRACKER:
        try:
            send(settings.TRACKER, iteration)
        except (TrackerMissing, *DATABASE_GONE):
            raise
        except Exception as error:
            if unit.attempt > TRIES:
                raise
            # Nothing is completed: the lease runs out, and the unit is taken again.
            log.warning("the tracker could not be told", tracker=settings.TRACKER, error=str(error))
            message = f"will be sent again: {type(error).__name__}: {error}"[:200]
            patiently(lambda: unit_heartbeat(unit_id=unit.pk, token=unit.token, message=message))
            return

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            held.result = {"tracker": settings.TRACKER, "values": len(iteration.values) if iteration else 0}
            held.message = ""

    patiently(write)
