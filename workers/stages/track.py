"""TRACK: tell the tracker of the settings what a finished iteration came to."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from webapp.iterations.services import unit_completion, unit_heartbeat
from webapp.metrics.selectors import tracked
from workers.lease import Lease, Postponed, patiently
from workers.tracking import TrackerAway, tell

TRIES = 5  # one fewer than a unit has attempts: the last one's error is what is kept


def run(unit: Any, lease: Lease) -> None:
    lease.report(message=f"sending to {settings.TRACKER}")
    iteration = tracked(unit.payload["iteration_id"])
    if iteration is not None and settings.TRACKER:
        try:
            tell(settings.TRACKER, iteration)
        except TrackerAway as away:
            if unit.attempt > TRIES:
                raise
            message = f"will be sent again: {away}"[:200]
            patiently(lambda: unit_heartbeat(unit_id=unit.pk, token=unit.token, message=message))
            raise Postponed(message) from away

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            held.result = {"tracker": settings.TRACKER, "values": len(iteration.values) if iteration else 0}
            held.message = ""

    patiently(write)
