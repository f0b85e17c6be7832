"""Writes of the metrics app."""

from webapp.metrics.services.values import stage_measure, values_write

__all__ = ["stage_measure", "values_write"]
