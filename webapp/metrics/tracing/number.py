"""The top of the lineage: one number, what it was measured on, and what stands behind the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _

from loop.evaluate.metric import Metric
from loop.stages import Stage
from webapp.curate.models import DatasetVersion
from webapp.iterations.models import Iteration, WorkUnit
from webapp.metrics.measures import groups, metric_named
from webapp.metrics.models import MetricValue
from webapp.metrics.values import decided, reason_of, title_of
from webapp.projects.models import Project
from webapp.registry.models import ModelVersion

# Of a decision: what the gate noted of a metric before metrics were rows.
_DECIDED = {"heldout_gain": "effect", "heldout_after": "after", "heldout_before": "before"}
_OF_PROBES = ("probe", "forg")
# What a metric was measured on, by the first of these stages that its group measures after.
_ON = {
    Stage.EVALUATE: "outcomes",
    Stage.GENERATE: "samples",
    Stage.CURATE: "rows",
    Stage.FINETUNE: "rows",
    Stage.ANNOTATE: "answers",
    Stage.PROMOTE: "answers",
}


@dataclass(frozen=True, slots=True)
class Number:
    """One value of one iteration. ``on``: outcomes, samples, rows or answers."""

    name: str
    title: str
    unit: str
    on: str
    split: str  # of outcomes
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    p_value: float | None = None
    reason: str = ""  # why there is no value
    metric: Metric | None = None


@dataclass(frozen=True, slots=True)
class Behind:
    """What a model version was trained on, and by which run. Without ``dataset``: nothing, as of a base."""

    model: ModelVersion
    iteration: Iteration | None = None
    run: WorkUnit | None = None
    dataset: DatasetVersion | None = None
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return self.dataset.row_count if self.dataset else 0

    @property
    def answered(self) -> int | None:
        """Rows that rest on people's answers, as counted when it was frozen; None where it was not noted."""
        return self.manifest.get("answered")

    @property
    def simulated(self) -> int:
        return int(self.manifest.get("simulated") or 0)

    @property
    def replayed(self) -> int:
        return int(self.manifest.get("replayed") or 0)


def iteration_of(project: Project, number: int | None) -> Iteration:
    """The iteration of this number, its recipe left out.

    Raises:
        Http404: there is none.
    """
    joined = ("champion__training", "champion__canary")
    rows = project.iterations.select_related("champion").defer("recipe", "counts", *joined)
    found = rows.filter(number=number or 0).first()
    if found is None:
        raise Http404(_("There is no iteration {number}.").format(number=number))
    found.project = project
    return found


def number_of(iteration: Iteration, name: str) -> Number:
    """The value as it was written, or of what the gate noted as the decision has it. One query."""
    metric = metric_named(name)
    row = decided(MetricValue.objects.filter(iteration=iteration, model_version=None, name=name)).first()
    decision = iteration.decision or {}
    if metric is None and row is None and name not in _DECIDED:
        raise Http404(_("There is no metric {name}.").format(name=name))
    on, split = measured_on(name)
    known = {
        "name": name,
        "title": title_of(name),
        "unit": _unit(name, metric, row),
        "on": on,
        "split": split,
    }
    p_value = decision.get("p_value") if name == "heldout_gain" else None
    if row is not None:
        return Number(
            **known, value=row.value, low=row.low, high=row.high, n=row.n, p_value=p_value, metric=metric,
            reason=reason_of(row) if row.value is None else "",
        )  # fmt: skip
    value = decision.get(_DECIDED.get(name, ""))
    low, high = decision.get("ci95") or (None, None) if name == "heldout_gain" else (None, None)
    return Number(
        **known, value=value, low=low, high=high, n=decision.get("n") or 0, p_value=p_value, metric=metric,
        reason="" if value is not None else _("It has not been measured."),
    )  # fmt: skip


def _unit(name: str, metric: Metric | None, row: MetricValue | None) -> str:
    if row is not None and row.unit:
        return row.unit
    return metric.unit if metric else "points" if name == "heldout_gain" else "share"


def measured_on(name: str) -> tuple[str, str]:
    """(outcomes, samples, rows or answers; the split of outcomes)"""
    if name in _DECIDED:
        return "outcomes", "heldout"
    plain = f"{name.partition(':')[0]}:*" if ":" in name else name
    group = next((g for g in groups() if any(m.name == plain for m in g.METRICS)), None)
    if "people" in name:
        return "answers", ""
    on = next((on for stage, on in _ON.items() if group and stage in group.MEASURES), "samples")
    split = "probe" if name.startswith(_OF_PROBES) else "heldout"
    return on, split if on == "outcomes" else ""


def behind(project: Project, version_id: int | None) -> Behind | None:
    """What stands behind a model version: two queries; None without one."""
    related = project.model_versions.select_related("iteration", "dataset_version", "parent")
    lists = [*DatasetVersion.JOINED, "iteration__recipe", "iteration__counts", "iteration__decision"]
    model = related.defer(*lists).filter(pk=version_id or 0).first()
    if model is None:
        return None
    if model.dataset_version is None:
        return Behind(model, model.iteration)
    runs = WorkUnit.objects.filter(project=project, kind="train").select_related("iteration")
    mine = runs.filter(iteration=model.iteration_id) if model.iteration_id else runs.filter(iteration=None)
    named = mine if model.iteration_id else mine.filter(result__model=model.name)
    run = named.defer("iteration__recipe", "iteration__counts", "iteration__decision").order_by("-id").first()
    if run is not None:
        run.project = project
    return Behind(model, model.iteration, run, model.dataset_version, model.dataset_version.manifest)


def measured_model(iteration: Iteration, number: Number) -> int | None:
    """The version a number is about: of samples who wrote them, else the challenger."""
    if number.name == "heldout_before" or number.on == "samples":
        return iteration.champion_id
    return iteration.challenger_id
