"""One turn of the loop as rows: the iteration, every move it made, and the leased units of machine work."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from loop.stages import Stage, Status
from webapp.curate.models import DatasetVersion
from webapp.projects.models import Project
from webapp.registry.models import ModelVersion

STAGES = [(s.value, s.value) for s in Stage]


class Iteration(models.Model):
    class Arm(models.TextChoices):
        MAIN = "main", "Main"
        SHUFFLED = "shuffled", "Shuffled-label control"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="iterations")
    number = models.PositiveIntegerField()
    recipe_name = models.CharField(max_length=80)
    recipe = models.JSONField(help_text="The recipe as it was when the iteration started.")
    stage = models.CharField(max_length=10, choices=STAGES, default=Stage.PREPARE.value)
    status = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in Status], default=Status.RUNNING.value
    )
    arm = models.CharField(max_length=10, choices=Arm.choices, default=Arm.MAIN)
    control_of = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="controls")
    champion = models.ForeignKey(
        ModelVersion,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Pinned when it started.",
    )
    challenger = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    scorer = models.ForeignKey(
        ModelVersion,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="The reward model its recipe asks for, pinned when it started.",
    )
    dataset_version = models.ForeignKey(DatasetVersion, null=True, on_delete=models.PROTECT, related_name="+")
    seed = models.BigIntegerField(default=0)
    counts = models.JSONField(default=dict, help_text="The funnel: sampled, accepted, dropped by reason.")
    decision = models.JSONField(
        default=dict, help_text="The gate's: promote, effect, ci95, p_value, n, reasons."
    )
    problem = models.TextField(blank=True, help_text="Why it failed, in one sentence.")
    simulate_annotators = models.BooleanField(default=False)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="iteration_number")]
        indexes = [models.Index(fields=["status"])]
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"Iteration {self.number}"


class Transition(models.Model):
    """One move of the state machine. Exactly one row per move, whoever raced for it."""

    iteration = models.ForeignKey(Iteration, on_delete=models.CASCADE, related_name="transitions")
    from_stage = models.CharField(max_length=10, choices=STAGES)
    to_stage = models.CharField(max_length=10, choices=STAGES)
    because = models.TextField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["iteration", "from_stage"], name="leave_a_stage_once")]
        ordering = ["id"]


class Queue(models.TextChoices):
    MODEL = "model"  # sampling and scoring: one engine per process
    TRAIN = "train"  # each run a subprocess
    LIGHT = "light"  # no model


class WorkUnit(models.Model):
    """A leased slice of machine work. The row is the truth; the Celery message only says "look"."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="units")
    iteration = models.ForeignKey(
        Iteration,
        null=True,
        on_delete=models.CASCADE,
        related_name="units",
        help_text="Null: asked for by itself.",
    )
    stage = models.CharField(max_length=10, choices=STAGES)
    kind = models.CharField(max_length=20)
    ordinal = models.PositiveIntegerField(default=0)
    queue = models.CharField(max_length=8, choices=Queue.choices)
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    held = models.BooleanField(
        default=False, help_text="Paused by a person: nobody may claim it, and who has it gives it back."
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    token = models.UUIDField(null=True, help_text="Who holds it now; every write of results checks it.")
    leased_until = models.DateTimeField(null=True)
    announced_at = models.DateTimeField(null=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=200, blank=True)
    progress = models.JSONField(default=dict, help_text="Latest live figures: loss, tokens/s, time left.")
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["iteration", "kind", "ordinal"], name="unit_once")]
        indexes = [
            models.Index(fields=["queue", "id"], name="unit_queued", condition=Q(state="queued")),
            models.Index(fields=["leased_until"], name="unit_leased", condition=Q(state="running")),
            models.Index(fields=["iteration", "stage", "state"]),
            # What the system page reads: how much was done lately, what failed, how fast training is.
            models.Index(fields=["-finished_at"], name="unit_finished", condition=Q(state="done")),
            models.Index(fields=["-finished_at"], name="unit_failed", condition=Q(state="failed")),
            models.Index(fields=["-id"], name="unit_trains", condition=Q(queue="train")),
        ]

    @staticmethod
    def fresh_token() -> uuid.UUID:
        return uuid.uuid4()


class RunPoint(models.Model):
    """One point of a training run's live curve."""

    unit = models.ForeignKey(WorkUnit, on_delete=models.CASCADE, related_name="points")
    step = models.PositiveIntegerField()
    total_steps = models.PositiveIntegerField()
    loss = models.FloatField(null=True)
    learning_rate = models.FloatField(null=True)
    tokens_per_s = models.FloatField(null=True)
    padding_share = models.FloatField(null=True)
    mfu = models.FloatField(
        null=True, help_text="Model FLOPs utilisation, 0 to 1; null where the peak is unknown."
    )
    extra = models.JSONField(default=dict, help_text="What the objective reports: margin, accuracy, KL …")
    seconds = models.FloatField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["unit", "step"], name="point_once")]
        ordering = ["step"]
