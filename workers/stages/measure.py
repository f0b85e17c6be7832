"""MEASURE: turn what a stage left behind into metric values, and look whether an alarm is due."""

from __future__ import annotations

from typing import Any

from loop.stages import Stage
from webapp.iterations.services import unit_completion
from webapp.metrics.services import measured_result, stage_measure, tracking_plan
from workers.lease import Lease, patiently


def run(unit: Any, lease: Lease) -> None:
    stage = Stage(unit.payload["stage"])
    lease.report(message=f"measuring {stage.value}")
    measured = stage_measure(
        iteration=unit.iteration, stage=stage, only=unit.payload.get("only", ()), between=lease.check
    )

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            held.result = measured_result(held.result, measured)
            tracking_plan(measured=held)

    patiently(write)
