"""Examples (training rows with provenance) and dataset versions (immutable, hashed lists of them)."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from loop import records
from webapp.annotate.models import Annotation
from webapp.projects.models import Project, Prompt
from webapp.traces.models import Response


class Example(models.Model):
    """One training row. (prompt, split) is a composite foreign key to Prompt and split is always
    "train": the database refuses a held-out or probe prompt."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="examples")
    iteration = models.ForeignKey(
        "iterations.Iteration", null=True, on_delete=models.CASCADE, related_name="examples"
    )
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="examples")
    split = models.CharField(max_length=8, default="train", editable=False)
    kind = models.CharField(max_length=16, choices=[(k.value, k.value) for k in records.RowKind])
    row = models.JSONField(help_text="The TrainRow, worded and ready for a trainer.")
    row_sha = models.CharField(max_length=64)
    response = models.ForeignKey(Response, null=True, on_delete=models.PROTECT, related_name="examples")
    accepted_by = models.CharField(max_length=16, help_text="verifier, self_verdict, people")
    annotations = models.ManyToManyField(Annotation, related_name="examples")
    weight = models.FloatField(default=1.0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(split="train"), name="examples_are_train_prompts"),
            models.UniqueConstraint(fields=["iteration", "row_sha"], name="example_once"),
        ]
        indexes = [models.Index(fields=["project", "kind"])]


class DatasetVersion(models.Model):
    """An immutable list of examples. ``sha256`` covers the ordered row hashes; a trigger refuses changes."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="dataset_versions")
    iteration = models.ForeignKey(
        "iterations.Iteration", null=True, on_delete=models.SET_NULL, related_name="dataset_versions"
    )
    number = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    row_count = models.PositiveIntegerField()
    example_ids = ArrayField(models.BigIntegerField(), help_text="In training order.")
    manifest = models.JSONField(default=dict, help_text="Counts by kind and source, drops by reason.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="dataset_number")]
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"dataset {self.number}"
