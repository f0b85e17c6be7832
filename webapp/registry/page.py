"""What the models pages show: versions with their evaluations, the lineage, the promotions."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse

from webapp.metrics.charts import Lineage, Measured, Node, lineage
from webapp.projects.models import Project
from webapp.registry.models import Evaluation, ModelVersion, Promotion
from webapp.registry.selectors import Measurement, measurement_of

# On a chart: what was or is champion, what the gate held, and control arms.
CHART_KIND = {"champion": "champion", "retired": "champion", "control": "control"}


@dataclass(slots=True)
class VersionRow:
    version: ModelVersion
    measured: dict[str, Measurement] = field(default_factory=dict)  # split -> the latest

    @property
    def heldout(self) -> Measurement | None:
        return self.measured.get("heldout")

    @property
    def probe(self) -> Measurement | None:
        return self.measured.get("probe")


def versions_of(project: Project) -> list[VersionRow]:
    """Every version, oldest first, with its latest finished evaluation of each split: two queries."""
    versions = project.model_versions.select_related("iteration", "dataset_version", "parent").order_by(
        "number"
    )
    rows = {version.pk: VersionRow(version) for version in versions}
    done = Evaluation.objects.bare().filter(model_version__project=project, done=True, n__gt=0)
    for evaluation in done.order_by("id"):
        rows[evaluation.model_version_id].measured[evaluation.split] = measurement_of(evaluation)
    return list(rows.values())


def version_for(project: Project, number: int) -> ModelVersion:
    """The version of a project the user may see (`project_for` was the check).

    Raises:
        Http404: no such version.
    """
    version = (
        project.model_versions.select_related("parent", "iteration", "dataset_version")
        .filter(number=number)
        .first()
    )
    if version is None:
        raise Http404(f"{project} has no model version {number}.")
    version.project = project
    return version


def evaluations_of(version: ModelVersion) -> list[Measurement]:
    done = version.evaluations.filter(done=True, n__gt=0).order_by("-id")
    return [measurement_of(evaluation) for evaluation in done]


def promotions_of(project: Project, version: ModelVersion | None = None) -> QuerySet[Promotion]:
    rows = project.promotions.select_related("from_version", "to_version", "iteration", "by").order_by("-id")
    return rows.filter(to_version=version) if version else rows


def _href(version: ModelVersion, slug: str) -> str:
    return reverse("model", args=[slug, version.number])


def heldout_series(project: Project, rows: list[VersionRow]) -> list[Measured]:
    """Held-out accuracy in the order the versions were made, for the chart."""
    return [
        Measured(
            label=f"v{row.version.number}",
            value=row.heldout.value,
            low=row.heldout.low or 0.0,
            high=row.heldout.high or 0.0,
            kind=CHART_KIND.get(row.version.status, "held"),
            href=_href(row.version, project.slug),
        )
        for row in rows
        if row.heldout and row.heldout.value is not None
    ]


def lineage_of(project: Project, rows: list[VersionRow]) -> Lineage:
    return lineage(
        [
            Node(
                key=row.version.pk,
                label=f"v{row.version.number}",
                kind=row.version.status,
                note=f"{100 * row.heldout.value:.1f} %"
                if row.heldout and row.heldout.value is not None
                else "",
                href=_href(row.version, project.slug),
                parent=row.version.parent_id,
            )
            for row in rows
        ]
    )
