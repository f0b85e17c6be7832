"""What the models pages show: versions with their evaluations, the lineage, the promotions."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from webapp.curate.models import DatasetVersion
from webapp.metrics.charts import FOLD_FROM, Lineage, Measured, Node, fold, lineage
from webapp.projects.models import Project
from webapp.registry.models import Evaluation, ModelVersion, Promotion
from webapp.registry.selectors import Measurement, in_use, measurement_of

# On a chart: what was or is champion, what the gate held, control arms, and what no gate has decided on.
CHART_KIND = {
    "champion": "champion",
    "retired": "champion",
    "held": "held",
    "control": "control",
    "challenger": "undecided",
    "registered": "undecided",
}

STATUS_WORDS = {
    "champion": _("champion"),
    "retired": _("was champion"),
    "challenger": _("challenger"),
    "held": _("held"),
    "control": _("control arm"),
    "registered": _("registered"),
}


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
    related = project.model_versions.select_related("iteration", "dataset_version", "parent")
    versions = related.defer(*DatasetVersion.JOINED).order_by("number")
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
        .defer(*DatasetVersion.JOINED)
        .filter(number=number)
        .first()
    )
    if version is None:
        raise Http404(f"{project} has no model version {number}.")
    version.project = project
    return version


@dataclass(slots=True)
class Group:
    """The versions of one role, newest first."""

    role: str
    rows: list[VersionRow]


def groups_of(rows: list[VersionRow]) -> list[Group]:
    """Those that answer, then those that score."""
    return [
        Group(role, mine)
        for role in ModelVersion.Role.values
        if (mine := [row for row in reversed(rows) if row.version.role == role])
    ]


@dataclass(slots=True)
class Storage:
    """What the weights of a project's versions take; one folder that two versions have counts once."""

    bytes: int
    versions: int
    removed: int


def storage_of(rows: list[VersionRow]) -> Storage:
    with_weights = [r.version for r in rows if r.version.adapter_path and not r.version.weights_removed_at]
    return Storage(
        bytes=sum({v.adapter_path: v.weights_bytes for v in with_weights}.values()),
        versions=len(with_weights),
        removed=sum(r.version.weights_removed_at is not None for r in rows),
    )


@dataclass(slots=True)
class Canary:
    """A reading of the fixed texts in one number each: the mean over all tokens."""

    kind: str
    mean: float | None
    base: float | None
    device: str
    dtype: str


def canary_of(version: ModelVersion) -> Canary | None:
    noted = version.canary
    if not noted:
        return None
    return Canary(
        kind=noted["kind"],
        mean=_mean(noted.get("values")),
        base=_mean(noted.get("base")),
        device=noted.get("device", ""),
        dtype=noted.get("dtype", ""),
    )


def _mean(table: dict[str, list[float]] | None) -> float | None:
    numbers = [x for row in (table or {}).values() for x in row]
    return sum(numbers) / len(numbers) if numbers else None


def in_use_now(project: Project, version: ModelVersion) -> ModelVersion | None:
    """Who would make room for it."""
    return in_use(project, version.role)


def evaluations_of(version: ModelVersion) -> list[Measurement]:
    done = version.evaluations.filter(done=True, n__gt=0).order_by("-id")
    return [measurement_of(evaluation) for evaluation in done]


def promotions_of(project: Project, version: ModelVersion | None = None) -> QuerySet[Promotion]:
    rows = project.promotions.select_related("from_version", "to_version", "iteration", "by").order_by("-id")
    return rows.filter(to_version=version) if version else rows


def _href(version: ModelVersion, slug: str) -> str:
    return reverse("model", args=[slug, version.number])


def heldout_series(project: Project, rows: list[VersionRow]) -> list[Measured]:
    """Held-out accuracy of the policies in the order they were made, for the chart. What a scorer picks among
    samples is another figure."""
    return [
        Measured(
            label=f"v{row.version.number}",
            value=row.heldout.value,
            low=row.heldout.low or 0.0,
            high=row.heldout.high or 0.0,
            kind=CHART_KIND[row.version.status],
            href=_href(row.version, project.slug),
        )
        for row in rows
        if row.version.role == ModelVersion.Role.POLICY and row.heldout and row.heldout.value is not None
    ]


def lineage_of(project: Project, rows: list[VersionRow], *, whole: bool = True) -> Lineage:
    """Who was trained from whom and on what. Unless ``whole``, many that led nowhere are drawn together."""
    nodes = [_node(row, project.slug) for row in rows]
    folded = 0
    if not whole and len(nodes) > FOLD_FROM:
        nodes, folded = fold(nodes, f"{reverse('models', args=[project.slug])}?lineage=all#lineage")
    datasets = {d.pk: d for row in rows if (d := row.version.dataset_version)}
    marks = [
        Node(d.pk, f"d{d.number}", "data", f"{d.row_count} rows", _dataset_href(project.slug, d.number), None)
        for d in datasets.values()
    ]
    return lineage(nodes, marks, folded=folded)


def _node(row: VersionRow, slug: str) -> Node:
    version, role = row.version, row.version.role
    value = row.heldout.value if row.heldout else None
    return Node(
        key=version.pk,
        label=f"v{version.number}",
        kind=version.status,
        note=f"{100 * value:.1f} %" if value is not None else "",
        href=_href(version, slug),
        parent=version.parent_id,
        lane="" if role == ModelVersion.Role.POLICY else role.replace("_", " "),
        data=version.dataset_version_id,
        words=STATUS_WORDS[version.status],
    )


def _dataset_href(slug: str, number: int) -> str:
    return reverse("dataset", args=[slug, number])
