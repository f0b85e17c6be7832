"""Annotation tasks, the leased claims on them, drafts, and people's answers with every revision."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from webapp.projects.models import GuidelineVersion, Project, Prompt
from webapp.traces.models import Response


class TaskKind(models.TextChoices):
    STEP_CRITIQUE = "step_critique", "Step critique"
    PREFERENCE = "preference", "Preference"


class TaskState(models.TextChoices):
    OPEN = "open"
    DONE = "done"  # as many answers as asked for
    CLOSED = "closed"  # withdrawn: the iteration went on or was cancelled


class AnnotationTask(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="annotation_tasks")
    iteration = models.ForeignKey(
        "iterations.Iteration", null=True, on_delete=models.CASCADE, related_name="tasks"
    )
    kind = models.CharField(max_length=16, choices=TaskKind.choices)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="+")
    response = models.ForeignKey(Response, null=True, on_delete=models.CASCADE, related_name="tasks")
    response_ids = ArrayField(
        models.UUIDField(), default=list, help_text="Preference: the candidates, unshuffled."
    )
    state = models.CharField(max_length=8, choices=TaskState.choices, default=TaskState.OPEN)
    priority = models.FloatField(default=0.0, help_text="Higher comes first.")
    overlap = models.PositiveSmallIntegerField(default=1, help_text="Different people asked.")
    open_slots = models.SmallIntegerField(
        help_text="overlap minus live claims minus answers; kept by services."
    )
    answers = models.PositiveSmallIntegerField(default=0)
    show_model_critique = models.BooleanField(default=True)
    show_reference = models.BooleanField(default=False)
    gold = models.JSONField(null=True, help_text="The known answer, when this task checks the annotator.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            # The queue: one index range scan finds the next free task however many are done.
            models.Index(
                fields=["project", "kind", "-priority", "id"],
                name="task_queue",
                condition=Q(state="open", open_slots__gt=0),
            ),
            # The same for a page that takes whatever kind comes next.
            models.Index(
                fields=["project", "-priority", "id"],
                name="task_queue_any",
                condition=Q(state="open", open_slots__gt=0),
            ),
            models.Index(fields=["iteration", "state"]),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(open_slots__gte=0), name="no_slot_twice"),
            models.UniqueConstraint(fields=["iteration", "response"], name="one_critique_task_per_response"),
            models.UniqueConstraint(
                fields=["iteration", "response_ids"],
                condition=Q(kind="preference"),
                name="one_preference_task_per_set",
            ),
        ]


class Assignment(models.Model):
    """A person's leased claim on one slot of a task. ``token`` fences late writers."""

    class State(models.TextChoices):
        ACTIVE = "active"
        SUBMITTED = "submitted"
        RELEASED = "released"  # skipped by the person
        EXPIRED = "expired"  # lease ran out; the slot went back

    task = models.ForeignKey(AnnotationTask, on_delete=models.CASCADE, related_name="assignments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="assignments")
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    token = models.UUIDField(default=uuid.uuid4, unique=True)
    lease_until = models.DateTimeField()
    order = ArrayField(
        models.PositiveSmallIntegerField(),
        default=list,
        help_text="Preference: display position -> candidate.",
    )
    # Settled when the item is handed out, so that what is stored is what was on the screen.
    shown = models.JSONField(default=dict, help_text="model_critique: id or null; reference: bool; order.")
    guideline_version = models.ForeignKey(
        GuidelineVersion, null=True, on_delete=models.PROTECT, related_name="+"
    )
    skip_reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "user"], name="a_person_sees_a_task_once")]
        indexes = [
            models.Index(fields=["user", "state"]),
            models.Index(fields=["lease_until"], name="lease_sweep", condition=Q(state="active")),
        ]


class Draft(models.Model):
    """Work in progress, saved while the person types. Survives reload, lost lease and restart."""

    assignment = models.OneToOneField(Assignment, on_delete=models.CASCADE, related_name="draft")
    payload = models.JSONField()
    revision = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(auto_now=True)


class Annotation(models.Model):
    """A person's answer. ``payload`` is the answer as given; Critique and Preference rows derive from it."""

    class Outcome(models.TextChoices):
        ANSWERED = "answered"
        BAD_PROBLEM = "bad_problem"
        GIVE_UP = "give_up"
        UNSURE = "unsure"

    class State(models.TextChoices):
        SUBMITTED = "submitted"
        ACCEPTED = "accepted"
        REJECTED = "rejected"

    task = models.ForeignKey(AnnotationTask, on_delete=models.CASCADE, related_name="annotations")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="annotations")
    assignment = models.OneToOneField(
        Assignment, null=True, on_delete=models.SET_NULL, related_name="annotation"
    )
    submit_key = models.UUIDField(
        unique=True, help_text="Made by the client once per answer: a replay is a no-op."
    )
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.ANSWERED)
    state = models.CharField(max_length=10, choices=State.choices, default=State.SUBMITTED)
    payload = models.JSONField()
    revision = models.PositiveIntegerField(default=1)
    guideline_version = models.ForeignKey(
        GuidelineVersion, null=True, on_delete=models.PROTECT, related_name="+"
    )
    shown = models.JSONField(
        default=dict, help_text="What was visible: model critique, reference, display order."
    )
    seconds = models.FloatField(null=True)
    step_seconds = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "user"], name="one_answer_per_person")]
        indexes = [models.Index(fields=["user", "-created_at"])]


class AnnotationRevision(models.Model):
    """Every version of an answer, the first included."""

    annotation = models.ForeignKey(Annotation, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    payload = models.JSONField()
    outcome = models.CharField(max_length=12, choices=Annotation.Outcome.choices)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["annotation", "number"], name="revision_once")]
        ordering = ["number"]
