"""Iterations that start by themselves: what somebody wished for, what was counted, and what came of it."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from loop.schedule import Plan
from webapp.iterations.models import Iteration
from webapp.projects.models import Project


class Schedule(models.Model):
    """``plan`` is a `loop.schedule.Plan`; the rest of the row is what has become of it so far."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="schedules")
    name = models.CharField(max_length=80)
    enabled = models.BooleanField(default=True)
    plan = models.JSONField()
    recipe = models.CharField(max_length=80, help_text="A recipe's name, read anew at each start.")
    changes = ArrayField(
        models.CharField(max_length=200), default=list, help_text="Settings changed in it: annotate.take=0"
    )
    simulate_annotators = models.BooleanField(default=False)
    since = models.DateTimeField(help_text="What came due up to here is settled.")
    fired_at = models.DateTimeField(null=True)
    firings = models.PositiveIntegerField(default=0)
    look_at = models.DateTimeField(help_text="The scheduler looks at it again from then on.")
    next_at = models.DateTimeField(null=True, help_text="When the clock alone starts one; null: not known.")
    held = models.CharField(
        max_length=8, blank=True, help_text="What keeps a due start back: quiet, spacing."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="schedule_name")]
        indexes = [models.Index(fields=["look_at"], name="schedule_looks", condition=Q(enabled=True))]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def planned(self) -> Plan:
        return Plan.model_validate(self.plan)


class Tally(models.Model):
    """How many answers came since the schedule's last start, without counting any of them again and again.

    Ids are given out before rows become visible, so an id that was passed says nothing of those below it.
    ``seen_id`` only ever moves to an id below which every row is known to be settled.
    """

    schedule = models.OneToOneField(Schedule, on_delete=models.CASCADE, related_name="tally")
    start_id = models.BigIntegerField(help_text="Answers up to this id were there at the last start.")
    start_answers = models.IntegerField(
        default=0, help_text="Of those above it, as many were there as well: not settled then."
    )
    start_weight = models.FloatField(default=0.0, help_text="And weighed this much.")
    seen_id = models.BigIntegerField(help_text="Counted up to here.")
    seen = models.IntegerField(default=0, help_text="Answers between start_id and seen_id.")
    mark_id = models.BigIntegerField(null=True, help_text="The next seen_id, once settled.")
    mark_at = models.DateTimeField(null=True, help_text="When mark_id was the newest to be seen.")
    most = models.IntegerField(default=0, help_text="Answers given since the start, whatever became of them.")
    exact_at = models.DateTimeField(null=True, help_text="When they were last gone through one by one.")
    exact_most = models.IntegerField(default=0, help_text="``most`` at that time.")
    exact = models.FloatField(default=0.0, help_text="What counted then: accepted answers, or their weight.")


class ScheduleRun(models.Model):
    """One occasion on which a schedule was due. Its key is unique: nobody acts on an occasion twice."""

    class Outcome(models.TextChoices):
        STARTED = "started", _("started")
        SKIPPED = "skipped", _("skipped")  # it stays due; becomes started when the way is free
        FAILED = "failed", _("failed")  # could not be started; tried again

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="runs")
    key = models.CharField(max_length=60)
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    reason = models.TextField(blank=True)
    missed = models.PositiveIntegerField(default=0, help_text="Earlier occurrences it stands for as well.")
    iteration = models.ForeignKey(Iteration, null=True, on_delete=models.SET_NULL, related_name="+")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    at = models.DateTimeField(help_text="When the outcome was last written.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schedule", "key"], name="occasion_once")]
        ordering = ["-id"]
