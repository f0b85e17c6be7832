"""Model versions with lineage, their evaluations, and the promotions that moved the champion pointer."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from webapp.curate.models import DatasetVersion
from webapp.projects.models import Project, Prompt
from webapp.traces.models import VERDICTS, Response


class ModelVersion(models.Model):
    """Base model + adapter. The name is unique for ever: a server that saw it never sees other weights.

    A policy writes; a reward model scores whole responses, a process reward model their steps. Of each
    scoring role one version may be ``champion``: the one in use. The project's pointer is the policy's.
    """

    class Role(models.TextChoices):
        POLICY = "policy"
        REWARD = "reward"
        PROCESS_REWARD = "process_reward"

    class Status(models.TextChoices):
        CHALLENGER = "challenger"
        CHAMPION = "champion"
        HELD = "held"
        RETIRED = "retired"  # was champion once
        CONTROL = "control"  # an experiment's control arm: never promoted
        REGISTERED = "registered"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="model_versions")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=80, unique=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.POLICY)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.REGISTERED)
    base = models.CharField(max_length=500)
    base_sha = models.CharField(max_length=64, blank=True)
    tokenizer_sha = models.CharField(max_length=64, blank=True)
    template_sha = models.CharField(max_length=64, blank=True)
    adapter_sha = models.CharField(max_length=64, blank=True)
    adapter_path = models.CharField(max_length=500, blank=True, help_text="Empty: the bare base model.")
    dialect = models.CharField(max_length=40)
    dataset_version = models.ForeignKey(
        DatasetVersion, null=True, on_delete=models.PROTECT, related_name="models"
    )
    iteration = models.ForeignKey(
        "iterations.Iteration", null=True, on_delete=models.SET_NULL, related_name="model_versions"
    )
    recipe = models.CharField(max_length=80, blank=True)
    training = models.JSONField(default=dict, help_text="Settings, final loss, seconds, versions.")
    canary = models.JSONField(
        default=dict, help_text="Log-probs on fixed prompts when it was first loaded; checked at later loads."
    )
    note = models.TextField(blank=True, help_text="What people say of it; part of its model card.")
    weights_bytes = models.BigIntegerField(default=0)
    weights_removed_at = models.DateTimeField(
        null=True, help_text="Garbage collection took the weights; the row stays for its descendants."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="model_number")]
        ordering = ["-number"]

    def __str__(self) -> str:
        return self.name

    @property
    def adapter_name(self) -> str | None:
        return self.name if self.adapter_path else None


class EvaluationQuerySet(models.QuerySet["Evaluation"]):
    def bare(self) -> "EvaluationQuerySet":
        """What the version does by itself: not the no-training baselines, which are examples in a policy's
        prompt, and the first sample where a scorer would pick."""
        return self.exclude(sampling__has_any_keys=["shots", "unranked"])


class Evaluation(models.Model):
    """One model version measured on one fixed list of prompts, once for ever.

    ``sampling`` also holds what else makes the answers: the ``shots`` of a no-training baseline (so the same
    version may have several evaluations on the same prompts), or for a scorer whose samples it ranked.
    """

    model_version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="evaluations")
    split = models.CharField(max_length=8)
    prompts_sha = models.CharField(
        max_length=64, help_text="Hash of the ordered prompt ids and sampling settings."
    )
    sampling = models.JSONField(default=dict)
    size = models.PositiveIntegerField(default=0, help_text="Prompts in the set.")
    n = models.PositiveIntegerField(default=0, help_text="Outcomes stored when it was closed.")
    right = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    done = models.BooleanField(default=False)
    seconds = models.FloatField(default=0.0, help_text="Machine time of its units, summed.")
    tokens = models.BigIntegerField(default=0, help_text="Tokens the model wrote.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model_version", "split", "prompts_sha"], name="evaluation_once")
        ]

    @property
    def accuracy(self) -> float | None:
        """Share right among decided outcomes (an error is not a score)."""
        decided = self.n - self.errors
        return self.right / decided if decided else None


class EvaluationOutcome(models.Model):
    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="outcomes")
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="+")
    verdict = models.CharField(max_length=8, choices=VERDICTS)
    response = models.ForeignKey(Response, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["evaluation", "prompt"], name="outcome_once")]


class Promotion(models.Model):
    """A decision about the champion: promoted, held, or rolled back, with its reasons and evidence."""

    class Kind(models.TextChoices):
        PROMOTED = "promoted"
        HELD = "held"
        ROLLED_BACK = "rolled_back"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="promotions")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    from_version = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    to_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="promotions")
    iteration = models.ForeignKey(
        "iterations.Iteration", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    reasons = models.JSONField(default=list)
    evidence = models.JSONField(default=dict)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]


class GateUse(models.Model):
    """What an iteration's decision is made on, pinned when the measuring begins. Prompts wear out: each
    decision leaks a little of them."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="gate_uses")
    iteration = models.OneToOneField(
        "iterations.Iteration", on_delete=models.CASCADE, related_name="gate_use"
    )
    slice = models.PositiveSmallIntegerField()
    slices = models.PositiveSmallIntegerField(help_text="Into how many the held-out prompts were cut.")
    prompt_ids = ArrayField(
        models.BigIntegerField(), default=list, help_text="The held-out prompts it was made on, in order."
    )
    probe_ids = ArrayField(models.BigIntegerField(), default=list, help_text="The probe prompts, in order.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["project", "slices", "slice"])]
