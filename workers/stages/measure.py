"""MEASURE: turn what a stage left behind into metric values, and look whether an alarm is due."""

from __future__ import annotations

from typing import Any

from loop.stages import Stage
from webapp.iterations.services import unit_completion
from webapp.metrics.services import stage_measure
from workers.lease import Lease, patiently


def run(unit: Any, lease: Lease) -> None:
    stage = Stage(unit.payload["stage"])
    lease.report(message=f"measuring {stage.value}")
    written = stage_measure(iteration=unit.iteration, stage=stage)  # a repeat writes the same values

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            held.result = {"values": written}

    patiently(write)
