"""Where a project's news goes, and every notice that was to go there: written with the news, sent later."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from webapp.projects.models import Project


class Event(models.TextChoices):
    PROMOTED = "promoted", _("Promoted: a challenger became the champion")
    HELD = "held", _("Held: the gate kept the champion")
    NOT_TRAINED = "not_trained", _("Nothing to train: too few examples")
    FAILED = "failed", _("Failed: an iteration needs help")
    SCHEDULE_STARTED = "schedule_started", _("A schedule started an iteration")
    SCHEDULE_SKIPPED = "schedule_skipped", _("A schedule was due and could not start")
    SCHEDULE_FAILED = "schedule_failed", _("A schedule’s start failed")
    ALARM = "alarm", _("Alarm: a figure of an iteration needs a look")
    TEST = "test", _("Test")


class Channel(models.Model):
    class Kind(models.TextChoices):
        EMAIL = "email", _("Email")
        WEBHOOK = "webhook", _("Webhook")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="channels")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    target = models.CharField(max_length=500, help_text="An address, or a URL.")
    secret = models.CharField(max_length=64, blank=True, help_text="Webhook: signs what is sent.")
    events = ArrayField(models.CharField(max_length=20, choices=Event.choices))
    enabled = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "kind", "target"], name="channel_once")]
        ordering = ["id"]

    def __str__(self) -> str:
        return self.target


class Delivery(models.Model):
    """One notice to one channel. The id goes with it: who receives it twice can tell."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        GIVEN_UP = "given_up", _("given up")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=20, choices=Event.choices)
    key = models.CharField(max_length=120, help_text="What it is about: each thing is told once.")
    payload = models.JSONField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "key"], name="told_once")]
        indexes = [
            models.Index(fields=["next_try_at"], name="delivery_waiting", condition=Q(state="waiting")),
            models.Index(fields=["channel", "-created_at"], name="delivery_recent"),
        ]
