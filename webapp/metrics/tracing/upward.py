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
_HOLDS = "(SELECT count(*) FROM unnest(%s::bigint[]) AS one(id) WHERE one.id = ANY(example_ids))"


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


def ways_up(project: Project, examples: Sequence[Example]) -> list[Way]:
    """Every dataset version with one of the examples, oldest first, and each model trained on it.

    Four queries. An example is in its own iteration's version, in those that replayed earlier ones, and in
    those that people froze; no other list is looked through.
    """
    examples = list(examples)[:MOST_EXAMPLES]
    if not examples:
        return []
    ids = [e.pk for e in examples]
    makers = {e.iteration_id for e in examples if e.iteration_id}
    holds = RawSQL(_HOLDS, [ids], output_field=IntegerField())  # noqa: S611  (text of this module)
    candidates = Q(iteration__in=makers) | Q(iteration=None) | Q(manifest__replayed__gt=0)
    versions = (
        DatasetVersion.objects.filter(candidates, project=project)
        .filter(created_at__gte=min(e.created_at for e in examples))
        .defer(*DatasetVersion.LISTS)
        .annotate(used=holds)
        .filter(used__gt=0)
        .order_by("number")
    )
    found = list(versions)
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
