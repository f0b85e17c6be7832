"""Examples (training rows with provenance) and dataset versions (immutable, hashed lists of them)."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from loop import records
from webapp.annotate.models import Annotation
from webapp.projects.models import Project, Prompt
from webapp.traces.models import Response


class Rejection(models.Model):
    """A lead's word that examples are not to be trained on: one row for all that were rejected at once."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rejections")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.TextField()
    filters = models.JSONField(default=dict, help_text="What was chosen, as in the address of the list.")
    count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-id"]


class Writer(models.TextChoices):
    """Who wrote an example's response."""

    MODEL = "model"
    PERSON = "person"
    UNKNOWN = "unknown"  # nobody knows, e.g. imported


class Example(models.Model):
    """One training row. (prompt, split) is a composite foreign key to Prompt and split is always
    "train": the database refuses a held-out or probe prompt."""

    # No index of their own: those in Meta begin with them.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="examples", db_index=False)
    iteration = models.ForeignKey(
        "iterations.Iteration", null=True, on_delete=models.CASCADE, related_name="examples", db_index=False
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
    text_sha = models.CharField(
        max_length=32, blank=True, help_text="Equal for rows of the same text (loop.curate.sameness)."
    )
    writer = models.CharField(max_length=8, choices=Writer.choices, default=Writer.UNKNOWN)
    model_version = models.ForeignKey(
        "registry.ModelVersion",
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
        help_text="It wrote the response; of a row without one, the iteration's champion. For filters.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(split="train"), name="examples_are_train_prompts"),
            models.UniqueConstraint(fields=["iteration", "row_sha"], name="example_once"),
        ]
        # The list, newest first, whatever one filter narrows it.
        indexes = [
            models.Index(fields=["project", "-id"], name="example_list"),
            models.Index(fields=["project", "kind", "-id"], name="example_kind"),
            models.Index(fields=["project", "accepted_by", "-id"], name="example_source"),
            models.Index(fields=["iteration", "-id"], name="example_iteration"),
            models.Index(fields=["project", "model_version", "-id"], name="example_model"),
            models.Index(fields=["project", "writer", "-id"], name="example_writer"),
        ]


class Rejected(models.Model):
    """An example that is left out. A row beside it: examples never change, and many are rejected quickly."""

    example = models.OneToOneField(
        Example, primary_key=True, on_delete=models.CASCADE, related_name="rejected"
    )
    rejection = models.ForeignKey(Rejection, on_delete=models.CASCADE, related_name="rejected")


class DatasetVersion(models.Model):
    """An immutable list of examples. ``sha256`` covers the ordered row hashes, each with its factor where
    that is not 1; a trigger refuses changes."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="dataset_versions")
    iteration = models.ForeignKey(
        "iterations.Iteration", null=True, on_delete=models.SET_NULL, related_name="dataset_versions"
    )
    number = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    row_count = models.PositiveIntegerField()
    example_ids = ArrayField(models.BigIntegerField(), help_text="In training order.")
    row_weights = ArrayField(
        models.FloatField(),
        default=list,
        help_text="What each row's weight is multiplied by, in order; []: 1 for all.",
    )
    note = models.CharField(max_length=200, blank=True, help_text="Why it was frozen, in a person's words.")
    manifest = models.JSONField(default=dict, help_text="Counts by kind and source, drops by reason.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    # As long as the version has rows: left out (``defer``) wherever versions are listed or joined.
    LISTS = ("example_ids", "row_weights")
    JOINED = ("dataset_version__example_ids", "dataset_version__row_weights")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="dataset_number")]
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"dataset {self.number}"
