"""Projects, their people, their guidelines and their prompts."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from loop.records import Message, Split
from loop.records import Prompt as PromptRecord


class Project(models.Model):
    """Prompts + guidelines + people + a champion model."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    base = models.CharField(
        max_length=500, help_text="Hugging Face folder or hub id, or openai+http://… of the model."
    )
    dialect = models.CharField(
        max_length=40, default="chat", help_text="How actions are worded for this model."
    )
    champion = models.ForeignKey(
        "registry.ModelVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="champion_of"
    )
    keep_weights_days = models.PositiveIntegerField(
        null=True,
        default=90,
        help_text="Weights of held and control versions go after so many days; null: never.",
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    my_role: "Role"  # of the person asking; set by `selectors.project_for` only

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a member may do; each role may do everything the ones below it may."""

    ADMIN = "admin", _("Administrator")
    LEAD = "lead", _("Lead")
    ANNOTATOR = "annotator", _("Annotator")
    VIEWER = "viewer", _("Viewer")


class Membership(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_role_per_member")]


class GuidelineVersion(models.Model):
    """What annotators are asked to follow. Never edited: a change is a new version."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="guidelines")
    number = models.PositiveIntegerField()
    text = models.TextField(help_text="Markdown.")
    examples = models.JSONField(
        default=list, blank=True, help_text='Worked examples: [{"text": …, "mark": -1|0|1|null, "why": …}].'
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="guideline_number")]
        ordering = ["-number"]


class GuidelineRead(models.Model):
    """That a person has read a version of the guidelines: asked once per version, before the next item."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(GuidelineVersion, on_delete=models.CASCADE, related_name="reads")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "version"], name="read_once")]


class PromptFamily(models.Model):
    """Prompts alike after normalising. A family lives in exactly one split: no leak by near-copies."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    family = models.CharField(max_length=64)
    split = models.CharField(max_length=8, choices=[(s.value, s.value) for s in Split])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "family"], name="family_once"),
            # The target of Prompt's composite foreign key (see the migration).
            models.UniqueConstraint(fields=["project", "family", "split"], name="family_split"),
        ]


class Prompt(models.Model):
    """What the model is asked. (project, family, split) is a composite foreign key to PromptFamily."""

    # No index of its own: those in Meta begin with it.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="prompts", db_index=False)
    split = models.CharField(max_length=8, choices=[(s.value, s.value) for s in Split])
    family = models.CharField(max_length=64)
    messages = models.JSONField()
    text = models.TextField(help_text="The last user message: what a person would call the question.")
    reference = models.TextField(null=True, blank=True)
    verifier = models.CharField(max_length=40, blank=True)
    meta = models.JSONField(default=dict, blank=True)
    external_id = models.CharField(max_length=200, blank=True)
    content_sha = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "content_sha"], name="prompt_once"),
            # The target of Example's composite foreign key: an example's prompt is a train prompt.
            models.UniqueConstraint(fields=["id", "split"], name="prompt_split"),
        ]
        indexes = [models.Index(fields=["project", "split", "id"])]

    def __str__(self) -> str:
        return self.text[:80]

    def record(self) -> PromptRecord:
        return PromptRecord(
            id=str(self.pk),
            messages=tuple(Message(m["role"], m["content"]) for m in self.messages),
            split=Split(self.split),
            reference=self.reference,
            verifier=self.verifier,
            family=self.family,
            meta=self.meta,
        )


class AuditEvent(models.Model):
    """Who did what, when. Written by services, never changed."""

    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="audit_events")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    verb = models.CharField(max_length=60)
    target = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-at"])]
