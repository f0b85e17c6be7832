"""What the pages of training runs show: the list, one run with its curve, what may be done with it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext
from pydantic import ValidationError

from loop.recipe_parts import FinetunePart, heeded_by
from loop.stages import Status
from webapp.curate.models import DatasetVersion
from webapp.iterations.models import RunPoint, WorkUnit
from webapp.iterations.services.runs import TRAIN, run_name
from webapp.projects.models import Project
from webapp.registry.models import ModelVersion

State = WorkUnit.State
MOST_POINTS = 1500  # of a curve sent to a page; a screen has no more columns
TWIN_ROWS = 16  # of a curve's table
LOG_TAIL = 6000  # characters
COLUMNS = ("loss", "learning_rate", "tokens_per_s", "padding_share", "mfu")
LABELS = {
    "loss": gettext_noop("Loss"),
    "learning_rate": gettext_noop("Learning rate"),
    "tokens_per_s": gettext_noop("Tokens per second"),
    "padding_share": gettext_noop("Padding share"),
    "mfu": gettext_noop("Model FLOPs utilisation"),
    "margin": gettext_noop("Margin"),
    "chosen_change": gettext_noop("Change of the better side's log-probability"),
    "accuracy": gettext_noop("Accuracy on the training rows"),
    "kl": gettext_noop("KL divergence from the reference"),
    "reward": gettext_noop("Reward"),
    "grad_norm": gettext_noop("Gradient norm"),
}
SHARES = frozenset({"padding_share", "mfu", "accuracy"})


def label_of(column: str) -> str:
    return _(LABELS[column]) if column in LABELS else column.replace("_", " ").capitalize()


def runs_of(project: Project) -> QuerySet[WorkUnit]:
    """Newest first."""
    related = ("project", "asked_by", "iteration__dataset_version", "iteration__champion")
    units = WorkUnit.objects.filter(project=project, kind=TRAIN).select_related(*related)
    return units.defer(*(f"iteration__{name}" for name in DatasetVersion.JOINED)).order_by("-id")


def run_for(project: Project, pk: int) -> WorkUnit:
    """A run of a project the user may see (`project_for` was the check).

    Raises:
        Http404: no such run.
    """
    unit = runs_of(project).filter(pk=pk).first()
    if unit is None:
        raise Http404(f"{project} has no training run {pk}.")
    unit.project = project
    return unit


@dataclass(slots=True)
class Run:
    """A training run as its list and its page show it."""

    unit: WorkUnit
    dataset: DatasetVersion | None
    start: ModelVersion | None
    model: ModelVersion | None
    finetune: FinetunePart | None

    @property
    def name(self) -> str:
        return run_name(self.unit)

    @property
    def state(self) -> str:
        """waiting, running, paused, done, failed or cancelled."""
        if self.unit.state in (State.QUEUED, State.RUNNING) and (self.unit.held or self._rests):
            return "paused"
        return "waiting" if self.unit.state == State.QUEUED else str(self.unit.state)

    @property
    def _rests(self) -> bool:
        iteration = self.unit.iteration
        return iteration is not None and iteration.status == Status.PAUSED.value

    @property
    def live(self) -> bool:
        return self.unit.state in (State.QUEUED, State.RUNNING)

    @property
    def time_left(self) -> float | None:
        left = self.unit.progress.get("time_left_s") if self.state == "running" else None
        return float(left) if left is not None else None

    @property
    def seconds(self) -> float | None:
        """From when it was first taken to its end."""
        if not (self.unit.started_at and self.unit.finished_at):
            return None
        return (self.unit.finished_at - self.unit.started_at).total_seconds()

    @property
    def figures(self) -> list[tuple[str, str]]:
        """The latest of every live number, worded."""
        found = [(name, self.unit.progress.get(name)) for name in COLUMNS]
        extra = self.unit.progress.get("extra") or {
            name: self.unit.progress[name]
            for name in ("margin", "accuracy", "kl")
            if name in self.unit.progress
        }
        found += sorted(extra.items())
        return [(label_of(name), worded(name, value)) for name, value in found if value is not None]

    @property
    def settings(self) -> list[tuple[str, Any, str]]:
        """(name, value, what it means) of the frozen settings that its objective heeds."""
        if self.finetune is None:
            return []
        frozen = self.finetune.model_dump(mode="json")
        about = {name: info.description or "" for name, info in FinetunePart.model_fields.items()}
        return [(name, frozen[name], about[name]) for name in heeded_by(self.finetune.objective)]


def worded(column: str, value: Any) -> str:
    if value is None:
        return "–"
    if column in SHARES:
        return f"{100 * value:.1f}\u202f%"
    return f"{value:,.0f}".replace(",", "\u202f") if column == "tokens_per_s" else f"{value:.4g}"


def described(project: Project, units: Iterable[WorkUnit]) -> list[Run]:
    """The runs with datasets and models by name: two queries however many they are."""
    units = list(units)
    datasets = {unit.payload["dataset_id"] for unit in units if "dataset_id" in unit.payload}
    by_pk = {d.pk: d for d in project.dataset_versions.filter(pk__in=datasets).defer(*DatasetVersion.LISTS)}
    started = {unit.payload.get("start_version_id") for unit in units} - {None}
    names = {unit.result.get("model") for unit in units} - {None}
    wanted = project.model_versions.filter(Q(pk__in=started) | Q(name__in=names))
    versions = list(wanted.select_related("parent"))
    by_name = {version.name: version for version in versions}
    by_version = {version.pk: version for version in versions}
    runs = []
    for unit in units:
        finetune = _finetune(unit)
        if unit.iteration is not None:
            dataset = unit.iteration.dataset_version
            goes_on = finetune is not None and finetune.start == "champion"
            start = unit.iteration.champion if goes_on else None
        else:
            dataset = by_pk.get(unit.payload.get("dataset_id"))
            start = by_version.get(unit.payload.get("start_version_id"))
        runs.append(Run(unit, dataset, start, by_name.get(unit.result.get("model")), finetune))
    return runs


def _finetune(unit: WorkUnit) -> FinetunePart | None:
    frozen = unit.iteration.recipe.get("finetune", {}) if unit.iteration else unit.payload.get("finetune")
    try:
        return FinetunePart.model_validate(frozen)
    except ValidationError:  # frozen by an earlier schema: its page says so instead of failing
        return None


def actions_of(run: Run) -> set[str]:
    """What a lead may do with it now, by name (see `webapp.iterations.views.runs.ACTIONS`)."""
    if run.unit.state in (State.QUEUED, State.RUNNING):
        if run.unit.held:
            return {"resume", "cancel"}
        return {"cancel"} if run.state == "paused" else {"pause", "cancel"}  # its iteration is paused
    if run.unit.state not in (State.FAILED, State.CANCELLED):
        return set()
    over = run.unit.iteration is not None and run.unit.iteration.status != Status.FAILED.value
    return set() if over else {"retry"}


# ---- the curve --------------------------------------------------------------------------------------------


def curve_of(unit: WorkUnit, after: int = 0) -> dict[str, Any]:
    """Points beyond step ``after`` in columns of equal length, thinned to about `MOST_POINTS`; one query.

    ``columns`` maps each measured name to its values (None: not measured there); ``total`` is the run's
    number of steps.
    """
    rows = list(
        RunPoint.objects.filter(unit=unit, step__gt=after)
        .order_by("step")
        .values_list("step", "total_steps", "extra", *COLUMNS)
    )
    stride = ceil(len(rows) / MOST_POINTS) or 1
    kept = [*rows[:-1:stride], *rows[-1:]]
    extras = sorted({name for row in kept for name in row[2]})
    columns = {name: [row[3 + i] for row in kept] for i, name in enumerate(COLUMNS)}
    columns |= {name: [row[2].get(name) for row in kept] for name in extras if name not in columns}
    measured = {name: values for name, values in columns.items() if any(v is not None for v in values)}
    return {
        "steps": [row[0] for row in kept],
        "total": kept[-1][1] if kept else 0,
        "columns": measured,
        "labels": {name: label_of(name) for name in measured},
        "shares": sorted(SHARES & measured.keys()),
    }


@dataclass(frozen=True, slots=True)
class Twin:
    """The curve as a table of a few rows, and what it says in a sentence."""

    columns: list[str]
    rows: list[tuple[int, list[str]]]
    points: int
    sentence: str


def twin_of(unit: WorkUnit) -> Twin | None:
    """None before the first point. Two queries."""
    points = RunPoint.objects.filter(unit=unit)
    count = points.count()
    if not count:
        return None
    wanted = {round(1 + i * (count - 1) / max(TWIN_ROWS - 1, 1)) for i in range(TWIN_ROWS)}
    numbered = points.annotate(number=Window(RowNumber(), order_by=F("step").asc()))
    sample = list(numbered.filter(number__in=wanted).order_by("step"))
    extras = sorted({name for point in sample for name in point.extra})
    measured = [c for c in COLUMNS if any(getattr(p, c) is not None for p in sample)]
    names = [*measured, *(e for e in extras if e not in COLUMNS)]
    rows = [
        (p.step, [worded(n, getattr(p, n) if n in COLUMNS else p.extra.get(n)) for n in names])
        for p in sample
    ]
    return Twin([label_of(n) for n in names], rows, count, sentence_of(sample))


def sentence_of(points: Sequence[RunPoint]) -> str:
    """What the loss did, for those who do not see the curve."""
    losses = [(p.step, p.loss) for p in points if p.loss is not None]
    if not losses:
        return _("No loss was measured yet.")
    (_first_step, first), (steps, last) = losses[0], losses[-1]
    if len(losses) == 1:
        return _("The loss is {last} after step {n}.").format(last=f"{last:.4g}", n=steps)
    change = (last - first) / abs(first) if first else last - first
    if abs(change) < 0.02:
        text = ngettext(
            "The loss stayed at about {last} over {n} step.",
            "The loss stayed at about {last} over {n} steps.",
            steps,
        )
    elif change < 0:
        text = ngettext(
            "The loss fell from {first} to {last} in {n} step.",
            "The loss fell from {first} to {last} in {n} steps.",
            steps,
        )
    else:
        text = ngettext(
            "The loss rose from {first} to {last} in {n} step.",
            "The loss rose from {first} to {last} in {n} steps.",
            steps,
        )
    return text.format(first=f"{first:.4g}", last=f"{last:.4g}", n=steps)


def curve_rows(unit: WorkUnit) -> tuple[list[str], list[list[Any]]]:
    """Head and rows of the whole curve, as a file holds them."""
    points = list(unit.points.order_by("step"))
    extras = sorted({name for point in points for name in point.extra})
    head = ["step", "total_steps", *COLUMNS, "seconds", *extras]
    named = head[: -len(extras)] if extras else head
    return head, [[getattr(p, n) for n in named] + [p.extra.get(e) for e in extras] for p in points]


def log_tail(run: Run) -> str:
    """The end of what the trainer wrote, "" where its folder is on another machine or gone."""
    folders = sorted(
        settings.RUNS_DIR.glob(f"{run.name}-{'?' * 16}/log.txt"), key=lambda path: path.stat().st_mtime
    )
    if not folders:
        return ""
    with folders[-1].open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - LOG_TAIL))
        text = file.read().decode(errors="replace")
    return text[text.find("\n") + 1 :] if len(text) >= LOG_TAIL else text
