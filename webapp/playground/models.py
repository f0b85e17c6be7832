"""Talks of a person with one or two model versions, what was said, and which side they preferred blindly."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from webapp.annotate.leased import LeasedRequest
from webapp.projects.models import Project
from webapp.registry.models import ModelVersion


class Session(models.Model):
    """One talk. Which version is on which side never changes; in a blind one it was drawn."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="playground_sessions")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    left = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    right = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    blind = models.BooleanField(default=False, help_text="Sides are not named until there is a vote.")
    temperature = models.FloatField(default=0.7)
    max_new_tokens = models.PositiveIntegerField(default=256)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["project", "author", "-created_at"])]
        ordering = ["-created_at"]


class Turn(LeasedRequest):
    """One message of the person, and what each side answers. ``partial`` has one text per side."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="turns")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    text = models.TextField()
    answers = models.JSONField(default=list, help_text='Left, right: [{"text", "finish", "tokens"}, …].')

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="turn_number"),
            models.UniqueConstraint(
                fields=["author"],
                name="one_open_turn_per_person",
                condition=Q(state__in=["queued", "running"]),
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"], name="turns_waiting", condition=Q(state__in=["queued", "running"])
            )
        ]


class Vote(models.Model):
    """Which side of a blind talk was better. At most one for each talk; the names are shown from then on."""

    class Choice(models.TextChoices):
        LEFT = "left"
        RIGHT = "right"
        TIE = "tie"
        BOTH_BAD = "both_bad"

    session = models.OneToOneField(Session, on_delete=models.CASCADE, related_name="vote")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="playground_votes")
    choice = models.CharField(max_length=8, choices=Choice.choices)
    created_at = models.DateTimeField(auto_now_add=True)
