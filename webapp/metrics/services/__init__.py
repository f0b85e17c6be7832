"""Writes of the metrics app."""

from webapp.metrics.services.alarms import (
    AlarmRefused,
    alarm_seen,
    alarms_evaluate,
    reasons_to_hold,
    rule_change,
    rule_reset,
)
from webapp.metrics.services.backfill import Due, backfill_due, backfill_now, backfill_queue
from webapp.metrics.services.tracking import tracking_plan
from webapp.metrics.services.values import Measured, measured_result, stage_measure, values_write

__all__ = [
    "AlarmRefused",
    "Due",
    "Measured",
    "alarm_seen",
    "alarms_evaluate",
    "backfill_due",
    "backfill_now",
    "backfill_queue",
    "measured_result",
    "reasons_to_hold",
    "rule_change",
    "rule_reset",
    "stage_measure",
    "tracking_plan",
    "values_write",
]
