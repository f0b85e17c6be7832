"""Which clicks moved this? From an answer, or an example, up to the gains of the models trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import IntegerField, Q
from django.db.models.expressions import RawSQL

from webapp.curate.models import DatasetVersion, Example
from webapp.iterations.models import Iteration, WorkUnit
from webapp.projects.models import Project
from webapp.registry.models import ModelVersion

MOST_EXAMPLES = 200  # of one answer; it makes a handful
MOST_ROWS = 400_000  # of lists that are looked through unasked
_HOLDS = "(SELECT count(*) FROM unnest(example_ids) AS listed(id) WHERE listed.id = ANY(%s::bigint[]))"


@dataclass(frozen=True, slots=True)
class Way:
    """One way up: so many of the examples in a dataset version, the model trained on it, what that gained."""

    dataset: DatasetVersion
    used: int  # of the examples
    model: ModelVersion | None = None
    run: WorkUnit | None = None
    iteration: Iteration | None = None  # whose challenger the model was

    @property
    def effect(self) -> float | None:
        return self.iteration.decision.get("effect") if self.iteration else None

    @property
    def promoted(self) -> bool:
        return bool(self.iteration and self.iteration.decision.get("promote"))


@dataclass(frozen=True, slots=True)
class Ways:
    """``unread``: how many later dataset versions replay earlier rows and were not looked through."""

    found: list[Way]
    unread: int = 0


def ways_up(project: Project, examples: Sequence[Example], *, far: bool = False) -> Ways:
    """Every dataset version with one of the examples, oldest first, and each model trained on it.

    Five queries. An example is in its own iteration's version, in those that people froze, and in those that
    replayed earlier rows. Lists are long and no index leads from an example to them: of the last kind so many
    are looked through as is quick, all of them when ``far``.
    """
    examples = list(examples)[:MOST_EXAMPLES]
    if not examples:
        return Ways([])
    near, unread = _candidates(project, examples, far=far)
    holds = RawSQL(_HOLDS, [[e.pk for e in examples]], output_field=IntegerField())  # noqa: S611  (text of this module)
    versions = DatasetVersion.objects.filter(pk__in=near).defer(*DatasetVersion.LISTS)
    found = list(versions.annotate(used=holds).filter(used__gt=0).order_by("number"))
    return Ways(_ways(project, found), unread)


def _candidates(project: Project, examples: Sequence[Example], *, far: bool) -> tuple[list[int], int]:
    """(versions to look through, how many more there are)"""
    makers = {e.iteration_id for e in examples if e.iteration_id}
    rows = DatasetVersion.objects.filter(
        Q(iteration__in=makers) | Q(iteration=None) | Q(manifest__replayed__gt=0),
        project=project,
        created_at__gte=min(e.created_at for e in examples),
    ).order_by("number")
    near, left, unread = [], MOST_ROWS, 0
    for pk, iteration, size in rows.values_list("pk", "iteration_id", "row_count"):
        if iteration in makers or size <= left or far:
            near.append(pk)
            left -= size
        else:
            unread += 1
    return near, unread


def _ways(project: Project, found: Sequence[DatasetVersion]) -> list[Way]:
    models = list(
        project.model_versions.filter(dataset_version__in=found)
        .exclude(status=ModelVersion.Status.CONTROL)
        .order_by("number")
    )
    iterations = _challenged(project, models)
    runs = _runs(project, models)
    ways = []
    for dataset in found:
        mine = [m for m in models if m.dataset_version_id == dataset.pk]
        used = dataset.used  # type: ignore[attr-defined]  # annotated above
        ways += [
            Way(dataset, used, m, runs.get(m.name) or runs.get(m.iteration_id), iterations.get(m.pk))
            for m in mine
        ] or [Way(dataset, used)]
    return ways


def _challenged(project: Project, models: Sequence[ModelVersion]) -> dict[int | None, Iteration]:
    rows = project.iterations.filter(challenger__in=models).defer("recipe", "counts")
    return {row.challenger_id: row for row in rows}


def _runs(project: Project, models: Sequence[ModelVersion]) -> dict[str | int | None, WorkUnit]:
    """By the model's name where the run noted it, and by the iteration."""
    names, trained = [m.name for m in models], {m.iteration_id for m in models if m.iteration_id}
    units = WorkUnit.objects.filter(project=project, kind="train")
    rows = units.filter(Q(iteration__in=trained) | Q(iteration=None, result__model__in=names))
    found: dict[str | int | None, WorkUnit] = {}
    for unit in rows.select_related("iteration").defer(
        "iteration__recipe", "iteration__counts", "iteration__decision"
    ).order_by("id"):  # fmt: skip
        unit.project = project
        if unit.iteration_id:
            found[unit.iteration_id] = unit
        if name := unit.result.get("model"):
            found[name] = unit
    return found
