from django.db import models

from webapp.iterations.models import Iteration
from webapp.projects.models import Project
from webapp.registry.models import ModelVersion


class MetricValue(models.Model):
    """A measured number with its 95 % interval. Written once when a stage ends, never on page load."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="metrics")
    iteration = models.ForeignKey(Iteration, null=True, on_delete=models.CASCADE, related_name="metrics")
    model_version = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.CASCADE, related_name="metrics"
    )
    name = models.CharField(max_length=60)
    value = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    n = models.PositiveIntegerField(default=0)
    unit = models.CharField(max_length=20, blank=True)
    detail = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["iteration", "model_version", "name"], name="metric_once")
        ]
        indexes = [models.Index(fields=["project", "name", "-id"])]
