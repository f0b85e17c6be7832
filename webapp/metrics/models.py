"""Measured numbers with their intervals, what prompts contribute, the alarms over them, and who works."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from webapp.iterations.models import Iteration, WorkUnit
from webapp.projects.models import Project, Prompt
from webapp.registry.models import ModelVersion


class MetricValue(models.Model):
    """A measured number with its 95 % interval. Written once when a stage ends, never on page load."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="metrics")
    iteration = models.ForeignKey(Iteration, null=True, on_delete=models.CASCADE, related_name="metrics")
    model_version = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.CASCADE, related_name="metrics"
    )
    stage = models.CharField(max_length=10, blank=True, help_text="That it was measured after.")
    name = models.CharField(max_length=60)
    value = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    n = models.PositiveIntegerField(default=0)
    unit = models.CharField(max_length=20, blank=True)
    version = models.PositiveSmallIntegerField(default=1, help_text="Of the formula: older ones can be told.")
    detail = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["iteration", "model_version", "name"], name="metric_once", nulls_distinct=False
            )
        ]
        indexes = [models.Index(fields=["project", "name", "-id"])]


class PromptFigures(models.Model):
    """What one prompt contributed to an iteration's figures: the way from a number down to its rows.

    Counts of samples; ``majority`` and ``best`` say whether the most frequent answer, and the one that the
    recipe's own scorer likes best, is right.
    """

    iteration = models.ForeignKey(
        Iteration, on_delete=models.CASCADE, related_name="prompt_figures", db_index=False
    )
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="+")
    samples = models.PositiveIntegerField(default=0)
    scored = models.PositiveIntegerField(default=0, help_text="Samples with a verdict.")
    right = models.PositiveIntegerField(default=0)
    kept = models.PositiveIntegerField(default=0, help_text="Samples that became examples of its dataset.")
    answers = models.PositiveIntegerField(default=0, help_text="Different answers.")
    majority = models.BooleanField(null=True)
    best = models.BooleanField(null=True)
    tokens = models.FloatField(null=True, help_text="Mean length of a sample.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["iteration", "prompt"], name="prompt_figures_once")]


class AlarmRule(models.Model):
    """A project's own settings of a rule of `loop.evaluate.alarms`; without a row the defaults hold."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="alarm_rules", db_index=False)
    key = models.CharField(max_length=40)
    enabled = models.BooleanField(default=True)
    limit = models.FloatField(null=True, help_text="Null: the default.")
    hold = models.BooleanField(default=False, help_text="Keep the champion when it fires before the gate.")
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="alarm_rule_once")]


class Alarm(models.Model):
    """A rule that fired for an iteration. ``facts``: the values it read and the limit, as they were, and what
    was ``said`` as texts with their figures, to be worded for each reader; ``text`` is that in English."""

    class Level(models.TextChoices):
        WARN = "warn"
        BAD = "bad"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="alarms", db_index=False)
    iteration = models.ForeignKey(Iteration, on_delete=models.CASCADE, related_name="alarms", db_index=False)
    key = models.CharField(max_length=40)
    level = models.CharField(max_length=4, choices=Level.choices)
    metric = models.CharField(max_length=60, blank=True, help_text="The value to look at first.")
    text = models.TextField(help_text="What was seen, with its numbers.")
    facts = models.JSONField(default=dict)
    held = models.BooleanField(default=False, help_text="Its rule keeps the champion.")
    fired_at = models.DateTimeField(default=timezone.now)
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    seen_at = models.DateTimeField(null=True, help_text="When somebody said that it is dealt with.")
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["iteration", "key"], name="alarm_once")]
        indexes = [
            models.Index(fields=["project", "-id"], name="alarm_list"),
            models.Index(fields=["project"], name="alarm_open", condition=Q(seen_at__isnull=True)),
        ]


class WorkerBeat(models.Model):
    """A worker process as it last reported. Who has not for a while is gone, whatever it said."""

    name = models.CharField(max_length=120, unique=True, help_text="queue@host:pid")
    queue = models.CharField(max_length=12, help_text="What it serves, or scheduler.")
    host = models.CharField(max_length=80)
    pid = models.PositiveIntegerField()
    unit = models.ForeignKey(
        WorkUnit, null=True, on_delete=models.SET_NULL, related_name="+", db_constraint=False
    )
    done = models.PositiveIntegerField(default=0, help_text="Units since it started.")
    failed = models.PositiveIntegerField(default=0)
    memory = models.BigIntegerField(default=0, help_text="Bytes of the process and its children.")
    devices = models.JSONField(
        default=list, help_text="Accelerators: [{name, memory_used, memory_total, utilisation 0..1 or null}]."
    )
    recent = models.JSONField(
        default=list, help_text="The last hour: [[unix time, processor share, device share, device bytes]]."
    )
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()


class StorageUse(models.Model):
    """How much lies in a folder of the state, measured now and then: a page must not walk through files."""

    place = models.CharField(max_length=40, unique=True, help_text="adapters, runs, exports …")
    bytes = models.BigIntegerField(default=0)
    files = models.PositiveIntegerField(default=0)
    measured_at = models.DateTimeField()
