"""What a dataset version's card says, gathered."""

from __future__ import annotations

from django.db.models.expressions import RawSQL

from loop.curate.card import Agreement, Card, data_card
from webapp.annotate.agreement import kinds_measured
from webapp.annotate.given import answers_read
from webapp.annotate.models import Annotation, TaskPurpose
from webapp.curate.models import DatasetVersion, Example

MOST_ANSWERS = 20_000  # that agreement is measured on: to the newest tasks


def agreement_behind(dataset: DatasetVersion) -> list[Agreement]:
    """How far people agreed on the tasks behind a version's rows."""
    listed = RawSQL("SELECT unnest(example_ids) FROM curate_datasetversion WHERE id = %s", [dataset.pk])
    links = Example.annotations.through.objects.filter(example_id__in=listed)
    tasks = Annotation.objects.filter(pk__in=links.values("annotation_id")).values("task_id")
    answers = Annotation.objects.filter(
        task__in=tasks,
        task__purpose=TaskPurpose.LABEL,
        task__answers__gte=2,
        outcome=Annotation.Outcome.ANSWERED,
    )
    kinds = kinds_measured(answers_read(answers, most=MOST_ANSWERS).rows)
    return [Agreement(k.kind, k.tasks, k.same.value, k.lines[0].figure.value) for k in kinds]


def card_of(dataset: DatasetVersion) -> str:
    """The version's card as Markdown."""
    card = Card(
        project=dataset.project.name,
        number=dataset.number,
        note=dataset.note,
        sha256=dataset.sha256,
        rows=dataset.row_count,
        made=dataset.created_at.isoformat(timespec="seconds"),
        by=str(dataset.created_by or ""),
        iteration=dataset.iteration.number if dataset.iteration else None,
        base=dataset.project.base,
        manifest=dataset.manifest,
        agreement=agreement_behind(dataset),
        models=list(dataset.models.order_by("number").values_list("name", flat=True)),
    )
    return data_card(card)
