"""What the model said: responses, their steps, critiques, preferences and scores, with lineage.

Primary keys of machine records are UUIDs derived from (run, prompt, call), so a repeated write of
the same work is a conflict, never a second row.
"""

import uuid
from collections.abc import Iterable

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from loop import records
from webapp.projects.models import Prompt

VERDICTS = [(v.value, v.value) for v in records.Verdict]


class Response(models.Model):
    """One sample of the model (or a person's correction), split once into steps."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="responses")
    # No index of their own for references that are mostly null: see Meta. Each costs every import.
    iteration = models.ForeignKey(
        "iterations.Iteration", null=True, on_delete=models.CASCADE, related_name="responses", db_index=False
    )
    parent = models.ForeignKey(
        "self", null=True, on_delete=models.CASCADE, related_name="children", db_index=False
    )
    origin = models.CharField(max_length=12, choices=[(o.value, o.value) for o in records.Origin])
    text = models.TextField()
    answer = models.TextField(null=True)
    finish = models.CharField(max_length=8, default="stop")
    # In the row, not in a table of their own: steps are written once, always read with their text, and a
    # million responses would be six million rows to import.
    step_spans = models.JSONField(
        default=list, help_text="Per step [start, end, token_start, token_end]: offsets into text, token_ids."
    )
    token_ids = ArrayField(models.IntegerField(), default=list)
    logprobs = ArrayField(models.FloatField(), default=list)
    sampling = models.JSONField(default=dict)
    seed = models.BigIntegerField(default=0)
    model_version = models.ForeignKey(
        "registry.ModelVersion", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    dialect = models.CharField(max_length=40, blank=True)
    verdict = models.CharField(
        max_length=8,
        choices=VERDICTS,
        default="unknown",
        help_text="The checker's, copied from its score for filters.",
    )
    regeneration = models.ForeignKey(
        "annotate.Regeneration",
        null=True,
        on_delete=models.SET_NULL,
        related_name="responses",
        db_index=False,
        help_text="Continuations a person asked for while annotating.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["iteration", "verdict"],
                name="response_iteration",
                condition=models.Q(iteration__isnull=False),
            ),
            *(
                models.Index(
                    fields=[name], name=f"response_{name}", condition=models.Q(**{f"{name}__isnull": False})
                )
                for name in ("parent", "model_version", "author", "regeneration")
            ),
        ]

    @property
    def steps(self) -> tuple[records.Step, ...]:
        """The steps in order, cut from the text."""
        return tuple(
            records.Step(i, self.text[start:end], start, end, token_start, token_end)
            for i, (start, end, token_start, token_end) in enumerate(self.step_spans)
        )

    def record(self, *, tokens: bool = True) -> records.Response:
        """The loop's record.

        Without ``tokens`` it has no token ids and log-probabilities, so they may be deferred.
        """
        return records.Response(
            id=str(self.pk),
            prompt_id=str(self.prompt_id),
            text=self.text,
            steps=self.steps,
            origin=records.Origin(self.origin),
            parent_id=str(self.parent_id) if self.parent_id else None,
            answer=self.answer,
            finish=self.finish,
            token_ids=tuple(self.token_ids) if tokens else (),
            logprobs=tuple(self.logprobs) if tokens else (),
            sampling=records.Sampling(**{**self.sampling, "stop": tuple(self.sampling.get("stop", ()))}),
            seed=self.seed,
            dialect=self.dialect,
        )


def spans_of(steps: Iterable[records.Step]) -> list[list[int | None]]:
    """What `Response.step_spans` keeps of a record's steps."""
    return [[s.start, s.end, s.token_start, s.token_end] for s in steps]


class Critique(models.Model):
    """A judgement of a response by a person, a model or a program.

    ``marks[i]`` is -1, 0, +1 or null (unjudged); ``first_error`` is 0-based, null = none.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    response = models.ForeignKey(Response, on_delete=models.CASCADE, related_name="critiques")
    author_kind = models.CharField(max_length=8, choices=[(a.value, a.value) for a in records.Author])
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    annotation = models.OneToOneField(
        "annotate.Annotation", null=True, on_delete=models.CASCADE, related_name="critique"
    )
    adjudication = models.OneToOneField(
        "annotate.Adjudication", null=True, on_delete=models.CASCADE, related_name="critique"
    )
    model_version = models.ForeignKey(
        "registry.ModelVersion", null=True, on_delete=models.PROTECT, related_name="+"
    )
    marks = ArrayField(models.SmallIntegerField(null=True), default=list)
    first_error = models.PositiveSmallIntegerField(null=True)
    verdict = models.CharField(max_length=8, choices=VERDICTS)
    comments = models.JSONField(default=dict, help_text="Step index -> comment.")
    corrections = models.JSONField(default=dict, help_text="Step index -> corrected step.")
    branches = models.JSONField(
        default=list, help_text="A person's word on alternatives: [{step, response, mark, chosen}]."
    )
    text = models.TextField(blank=True)
    parsed = models.BooleanField(default=True)
    final = models.BooleanField(default=False, help_text="From an adjudication: it stands for all others.")
    created_at = models.DateTimeField(auto_now_add=True)

    def record(self) -> records.Critique:
        return records.Critique(
            id=str(self.pk),
            response_id=str(self.response_id),
            author=records.Author(self.author_kind),
            marks=tuple(None if m is None else records.Mark(m) for m in self.marks),
            first_error=self.first_error,
            verdict=records.Verdict(self.verdict),
            comments={int(k): v for k, v in self.comments.items()},
            corrections={int(k): v for k, v in self.corrections.items()},
            branches=tuple(
                records.Branch(
                    b["step"],
                    b["response"],
                    None if b["mark"] is None else records.Mark(b["mark"]),
                    b["chosen"],
                )
                for b in self.branches
            ),
            text=self.text,
            parsed=self.parsed,
        )


class Preference(models.Model):
    """Which of several responses is better. ``winner`` indexes ``response_ids``; null = tie or all bad."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="preferences")
    iteration = models.ForeignKey(
        "iterations.Iteration", null=True, on_delete=models.CASCADE, related_name="+"
    )
    response_ids = ArrayField(models.UUIDField())
    winner = models.PositiveSmallIntegerField(null=True)
    ranking = models.JSONField(
        default=list, help_text="Indexes of responses, best first; one group is a tie; [] = not given."
    )
    strength = models.FloatField(default=1.0)
    all_bad = models.BooleanField(default=False)
    rationale = models.TextField(blank=True)
    author_kind = models.CharField(max_length=8, choices=[(a.value, a.value) for a in records.Author])
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    annotation = models.OneToOneField(
        "annotate.Annotation", null=True, on_delete=models.CASCADE, related_name="preference"
    )
    adjudication = models.OneToOneField(
        "annotate.Adjudication", null=True, on_delete=models.CASCADE, related_name="preference"
    )
    critique_ids = ArrayField(
        models.UUIDField(),
        default=list,
        help_text="When two critiques of one response are compared: ``winner`` indexes these.",
    )
    final = models.BooleanField(default=False, help_text="From an adjudication: it stands for all others.")
    created_at = models.DateTimeField(auto_now_add=True)

    def record(self) -> records.Preference:
        return records.Preference(
            id=str(self.pk),
            prompt_id=str(self.prompt_id),
            response_ids=tuple(str(r) for r in self.response_ids),
            winner=self.winner,
            author=records.Author(self.author_kind),
            strength=self.strength,
            all_bad=self.all_bad,
            rationale=self.rationale,
            ranking=tuple(tuple(group) for group in self.ranking),
            critique_ids=tuple(str(c) for c in self.critique_ids),
        )


class Score(models.Model):
    """A number or verdict with a name, about one response."""

    response = models.ForeignKey(Response, on_delete=models.CASCADE, related_name="scores")
    name = models.CharField(max_length=40)
    value = models.FloatField(null=True)
    verdict = models.CharField(max_length=8, choices=VERDICTS, default="unknown")
    detail = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["response", "name"], name="score_once")]

    def record(self) -> records.Score:
        return records.Score(
            str(self.response_id), self.name, self.value, records.Verdict(self.verdict), self.detail
        )
