"""Queues of annotation tasks, the leased claims on them, drafts, answers with every revision, review."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from webapp.annotate.leased import LeasedRequest
from webapp.projects.models import GuidelineVersion, Project, Prompt
from webapp.traces.models import Response

# The words of an answer: comments, corrections, reasons. Searched through an index of this very expression.
ANSWER_WORDS = models.Func(
    "payload",
    template="""jsonb_to_tsvector('simple', %(expressions)s, '["string"]')""",
    output_field=SearchVectorField(),
)


class TaskKind(models.TextChoices):
    STEP_CRITIQUE = "step_critique", _("Step critique")
    PREFERENCE = "preference", _("Preference")
    CRITIQUE_REVIEW = "critique_review", _("Critique review")


class TaskPurpose(models.TextChoices):
    """Why the task is asked. Only ``label`` answers are votes; gold and repeats measure people."""

    LABEL = "label", _("Label")
    GATE = "gate", _("Gate")  # champion against challenger, blind; never trained on
    GOLD = "gold", _("Gold")  # the answer is known
    REPEAT = (
        "repeat",
        _("Repeat"),
    )  # a person's own earlier task again, to see whether they agree with themselves


class TaskState(models.TextChoices):
    OPEN = "open", _("Open")
    DONE = "done", _("Done")  # as many answers as asked for
    CLOSED = "closed", _("Closed")  # withdrawn: the iteration went on or was cancelled


class Queue(models.Model):
    """How one project's tasks of one kind are asked. Created with the first task; edited by leads."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="queues")
    kind = models.CharField(max_length=16, choices=TaskKind.choices)
    order = models.CharField(
        max_length=40, default="first_come", help_text="A policy of loop.annotate.order."
    )
    control_share = models.FloatField(
        default=0.0, help_text="Share of tasks drawn uniformly whatever the order, so that statistics hold."
    )
    overlap = models.PositiveSmallIntegerField(default=1, help_text="For tasks made from now on.")
    show_model_critique = models.BooleanField(default=True)
    show_reference = models.BooleanField(default=False)
    withhold_share = models.FloatField(
        default=0.0,
        help_text="Share of items whose model critique is withheld at random: measures anchoring.",
    )
    daily_quota = models.PositiveIntegerField(null=True, blank=True, help_text="Answers per person and day.")
    gold_share = models.FloatField(default=0.0, help_text="Share of items whose answer is known.")
    gold_feedback = models.CharField(
        max_length=10,
        choices=[("hidden", "Hidden"), ("immediate", "Immediate")],
        default="hidden",
        help_text="Whether a person is told at once how they did on a gold item.",
    )
    repeat_share = models.FloatField(default=0.0, help_text="Share of items that are silent repeats.")
    repeat_after = models.PositiveIntegerField(
        default=20, help_text="A repeat comes at least this many answers after the first time."
    )
    error_kinds = models.JSONField(default=list, blank=True, help_text="Kinds a wrong step may be given.")
    criteria = models.JSONField(
        default=list, blank=True, help_text='[{"key", "label", "kind": "rating"|"yesno", "help"}].'
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "kind"], name="one_queue_per_kind")]


class AnnotationTask(models.Model):
    # Without indexes of their own: those in Meta cover them, and each costs every import.
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="annotation_tasks", db_index=False
    )
    iteration = models.ForeignKey(
        "iterations.Iteration", null=True, on_delete=models.CASCADE, related_name="tasks", db_index=False
    )
    kind = models.CharField(max_length=16, choices=TaskKind.choices)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="+")
    response = models.ForeignKey(Response, null=True, on_delete=models.CASCADE, related_name="tasks")
    response_ids = ArrayField(
        models.UUIDField(), default=list, help_text="Preference: the candidates, unshuffled."
    )
    critique_ids = ArrayField(
        models.UUIDField(), default=list, help_text="Critique review: the one, or the two to compare."
    )
    purpose = models.CharField(max_length=8, choices=TaskPurpose.choices, default=TaskPurpose.LABEL)
    repeat_of = models.ForeignKey(
        "self", null=True, on_delete=models.CASCADE, related_name="repeats", db_index=False
    )
    named = models.BooleanField(default=False, help_text="Only invited people are given it.")
    requeued = models.BooleanField(default=False, help_text="A slot came back: look here before the cursor.")
    state = models.CharField(max_length=8, choices=TaskState.choices, default=TaskState.OPEN)
    priority = models.FloatField(default=0.0, help_text="Higher comes first.")
    overlap = models.PositiveSmallIntegerField(default=1, help_text="Different people asked.")
    open_slots = models.SmallIntegerField(
        help_text="overlap minus live claims minus answers; kept by services."
    )
    answers = models.PositiveSmallIntegerField(default=0)
    # Both kept by services, so that the review list of 100,000 tasks is one range scan of an index.
    disagreement = models.FloatField(
        default=0.0, help_text="1 minus the share of the answers that the largest camp holds; 0: all agree."
    )
    reviewed = models.BooleanField(
        default=False, help_text="Nothing waits for the lead: until a new or changed answer comes."
    )
    show_model_critique = models.BooleanField(default=True)
    show_reference = models.BooleanField(default=False)
    gold = models.JSONField(null=True, help_text="The known answer, when this task checks the annotator.")
    meta = models.JSONField(default=dict, blank=True, help_text="Of an imported task: its format and extras.")
    created_at = models.DateTimeField(auto_now_add=True)

    model_critique: uuid.UUID | None  # the latest; set by `services.choosing` only
    queue: Queue  # its settings, and whether there is a final word: set by `selectors.task_locked` only
    adjudicated: bool

    class Meta:
        indexes = [
            # The queue: one index range scan finds the next free task however many are done. Both columns
            # ascend, so that a cursor is one row comparison: (priority * -1, id) > (…, …).
            models.Index(
                models.F("project"),
                models.F("kind"),
                models.F("priority") * -1,
                models.F("id"),
                name="task_queue",
                condition=Q(state="open", open_slots__gt=0, purpose="label", named=False),
            ),
            # Slots that came back behind people's cursors: few, looked at first.
            models.Index(
                fields=["project", "kind", "-priority", "id"],
                name="task_requeued",
                condition=Q(state="open", open_slots__gt=0, purpose="label", named=False, requeued=True),
            ),
            models.Index(fields=["project", "kind"], name="task_gold", condition=Q(purpose="gold")),
            models.Index(
                fields=["project", "kind", "id"],
                name="task_gate",
                condition=Q(state="open", open_slots__gt=0, purpose="gate"),
            ),
            models.Index(fields=["repeat_of"], name="task_repeated", condition=Q(repeat_of__isnull=False)),
            models.Index(
                fields=["iteration", "state"], name="task_iteration", condition=Q(iteration__isnull=False)
            ),
            # What waits for the lead, disagreements first.
            models.Index(
                fields=["project", "-disagreement", "id"],
                name="task_review",
                condition=Q(answers__gt=0, reviewed=False, purpose="label"),
            ),
            # For the table of tasks, newest first.
            models.Index(fields=["project", "-id"], name="task_table"),
            # What agreement is measured on: tasks that several people answered, however many have one.
            models.Index(
                fields=["project", "-id"],
                name="task_overlapped",
                condition=Q(purpose="label", answers__gte=2),
            ),
            models.Index(fields=["project", "-id"], name="task_repeats", condition=Q(purpose="repeat")),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(open_slots__gte=0), name="no_slot_twice"),
            models.UniqueConstraint(
                fields=["iteration", "response"],
                condition=Q(kind="step_critique", purpose="label", iteration__isnull=False),
                name="one_critique_task_per_response",
            ),
            models.UniqueConstraint(
                fields=["iteration", "response_ids"],
                condition=Q(kind="preference", purpose="label", iteration__isnull=False),
                name="one_preference_task_per_set",
            ),
            models.UniqueConstraint(
                fields=["iteration", "response_ids"],
                condition=Q(purpose="gate"),
                name="one_gate_task_per_pair",
            ),
            models.UniqueConstraint(
                fields=["iteration", "critique_ids"],
                condition=Q(kind="critique_review", purpose="label", iteration__isnull=False),
                name="one_review_task_per_set",
            ),
        ]


class Invitation(models.Model):
    """A named person is asked to answer a task; others are not."""

    task = models.ForeignKey(AnnotationTask, on_delete=models.CASCADE, related_name="invitations")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    taken = models.BooleanField(default=False, help_text="The person was given it; no longer looked through.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "user"], name="invited_once")]
        indexes = [models.Index(fields=["user"], name="invited", condition=Q(taken=False))]


class QueueCursor(models.Model):
    """Up to where a person has gone through a queue: all before it was theirs, taken, or passed over.

    A hint, never the truth: who reaches the end looks once more from the start. It keeps the next item
    as cheap for someone with 100,000 answers as for a newcomer.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16)
    priority = models.FloatField()
    task_id = models.BigIntegerField(help_text="Of the last task looked at; it may be gone.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "project", "kind"], name="one_cursor")]


class DayCount(models.Model):
    """What a person did in a project on one day (UTC). Kept by submit."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    day = models.DateField()
    answers = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0.0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "project", "day"], name="one_count_per_day")]
        indexes = [models.Index(fields=["project", "day"], name="day_count")]


class Assignment(models.Model):
    """A person's leased claim on one slot of a task. ``token`` fences late writers."""

    class State(models.TextChoices):
        ACTIVE = "active"
        SUBMITTED = "submitted"
        RELEASED = "released"  # skipped by the person
        EXPIRED = "expired"  # lease ran out; the slot went back

    # Indexes that the unique (task, user) covers are left out here and below: each costs every claim.
    task = models.ForeignKey(
        AnnotationTask, on_delete=models.CASCADE, related_name="assignments", db_index=False
    )
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
        GuidelineVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    skip_reason = models.CharField(max_length=200, blank=True)
    kind: str  # of the task, and the prompt's split: set by `claims.assignment_locked` only
    split: str
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "user"], name="a_person_sees_a_task_once")]
        indexes = [
            # A person's live and lapsed claims are few among all they ever had.
            models.Index(fields=["user"], name="claims_held", condition=Q(state__in=["active", "expired"])),
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
        ANSWERED = "answered", _("Answered")
        BAD_PROBLEM = "bad_problem", _("Bad Problem")
        GIVE_UP = "give_up", _("Give Up")
        UNSURE = "unsure", _("Unsure")

    class State(models.TextChoices):
        SUBMITTED = "submitted", _("Submitted")
        ACCEPTED = "accepted", _("Accepted")
        REJECTED = "rejected", _("Rejected")
        SENT_BACK = "sent_back", _("Sent Back")  # the lead asks its author to look again

    task = models.ForeignKey(
        AnnotationTask, on_delete=models.CASCADE, related_name="annotations", db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="annotations", db_index=False
    )
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
        GuidelineVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    shown = models.JSONField(
        default=dict, help_text="What was visible: model critique, reference, display order."
    )
    seconds = models.FloatField(null=True)
    step_seconds = models.JSONField(default=dict)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    reviewed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    day: "DayCount"  # with this answer in it; set by `services.annotation_submit` only

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "user"], name="one_answer_per_person")]
        indexes = [
            models.Index(fields=["user", "-created_at"]),
            models.Index(fields=["user"], name="sent_back", condition=Q(state="sent_back")),
            GinIndex(ANSWER_WORDS, name="answer_words"),
        ]


class AnnotationRevision(models.Model):
    """Every version of an answer, the first included."""

    annotation = models.ForeignKey(
        Annotation, on_delete=models.CASCADE, related_name="revisions", db_index=False
    )
    number = models.PositiveIntegerField()
    payload = models.JSONField()
    outcome = models.CharField(max_length=12, choices=Annotation.Outcome.choices)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["annotation", "number"], name="revision_once")]
        ordering = ["number"]


class ReviewNote(models.Model):
    """What a lead said or did about an answer; its author reads it."""

    annotation = models.ForeignKey(Annotation, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(
        max_length=10,
        choices=[("accepted", _("Accepted")), ("rejected", _("Rejected")), ("sent_back", _("Sent back"))],
    )
    text = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]


class Adjudication(models.Model):
    """The lead's final word on a task. The votes stay as they were; curation uses this alone."""

    task = models.OneToOneField(AnnotationTask, on_delete=models.CASCADE, related_name="adjudication")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    outcome = models.CharField(
        max_length=12, choices=Annotation.Outcome.choices, default=Annotation.Outcome.ANSWERED
    )
    payload = models.JSONField()
    based_on = models.ForeignKey(
        Annotation,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The vote it started from.",
    )
    note = models.TextField(blank=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)


class Flag(models.Model):
    """Something for the lead's inbox: an item set aside, or a note raised beside an answer."""

    class Reason(models.TextChoices):
        BAD_PROBLEM = "bad_problem", _("Bad problem")
        GIVE_UP = "give_up", _("Gave up")
        UNSURE = "unsure", _("Unsure")
        FLAG = "flag", _("Flagged")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="flags")
    task = models.ForeignKey(AnnotationTask, on_delete=models.CASCADE, related_name="flags")
    annotation = models.ForeignKey(Annotation, null=True, on_delete=models.CASCADE, related_name="flags")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=12, choices=Reason.choices)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    resolved_at = models.DateTimeField(null=True)
    resolution = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "-id"], name="inbox", condition=Q(resolved_at__isnull=True))
        ]


class Regeneration(LeasedRequest):
    """Alternatives asked of the champion from one step on."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="regenerations")
    task = models.ForeignKey(AnnotationTask, on_delete=models.CASCADE, related_name="regenerations")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    response = models.ForeignKey(Response, on_delete=models.CASCADE, related_name="regenerations")
    step = models.PositiveSmallIntegerField(help_text="The first step to write anew; those before are kept.")
    corrections = models.JSONField(default=dict, help_text="Step before -> as the person corrected it.")
    count = models.PositiveSmallIntegerField(default=3)
    model_version = models.ForeignKey(
        "registry.ModelVersion", null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["created_at"],
                name="regenerations_waiting",
                condition=Q(state__in=["queued", "running"]),
            )
        ]


class SearchRow(models.Model):
    """The full text of a task. Filled in the background, so that a large import does not wait for it."""

    task = models.OneToOneField(AnnotationTask, on_delete=models.CASCADE, primary_key=True, related_name="+")
    words = SearchVectorField()

    class Meta:
        indexes = [GinIndex(fields=["words"], name="task_words")]
