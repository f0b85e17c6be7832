"""Writes of the metrics app."""

from webapp.metrics.services.backfill import Due, backfill_due, backfill_now, backfill_queue
from webapp.metrics.services.values import Measured, measured_result, stage_measure, values_write

__all__ = [
    "Due",
    "Measured",
    "backfill_due",
    "backfill_now",
    "backfill_queue",
    "measured_result",
    "stage_measure",
    "values_write",
]
