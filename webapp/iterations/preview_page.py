"""What the page that starts a run shows first: the data, where its settings begin, what would be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from pydantic import ValidationError

from loop.finetune.objectives import OBJECTIVES
from loop.recipe_parts import FinetunePart
from webapp.curate.models import DatasetVersion
from webapp.iterations.models import WorkUnit
from webapp.iterations.services.runs import PREVIEW
from webapp.projects.models import Project

State = WorkUnit.State


def preview_for(project: Project, pk: str | None) -> WorkUnit | None:
    """The preview with this number, if it is one of the project's."""
    if not pk or not pk.isdigit():
        return None
    return WorkUnit.objects.filter(project=project, kind=PREVIEW, pk=int(pk)).first()


def datasets_of(project: Project) -> list[DatasetVersion]:
    """Newest first, without their lists of examples."""
    return list(
        project.dataset_versions.select_related("iteration").defer(*DatasetVersion.LISTS).order_by("-number")
    )


def dataset_named(datasets: Sequence[DatasetVersion], number: str | None) -> DatasetVersion | None:
    """The one with this number; the newest where none is named; None where there is no such."""
    if number is None:
        return datasets[0] if datasets else None
    return next((d for d in datasets if str(d.number) == number), None)


def settings_before(dataset: DatasetVersion) -> dict[str, Any]:
    """What the iteration that froze the dataset trains it with: where a form begins."""
    recipe = dataset.iteration.recipe if dataset.iteration is not None else {}
    try:
        settings = FinetunePart.model_validate(recipe.get("finetune", {})).model_dump(mode="json")
    except ValidationError:
        settings = {}
    return {name: value for name, value in settings.items() if name != "start"}


def preview_fits(preview: WorkUnit, dataset: DatasetVersion, finetune: FinetunePart) -> bool:
    """Whether it was made of this data with these settings."""
    asked = preview.payload
    return bool(asked["dataset_id"] == dataset.pk and asked["finetune"] == finetune.model_dump(mode="json"))


def under_way(preview: WorkUnit) -> bool:
    return preview.state in (State.QUEUED, State.RUNNING)


def not_startable(preview: WorkUnit | None) -> str:
    """Why a run may not be started on what this preview says, "" where it may."""
    if preview is None:
        return _("Look first at what would be trained: these settings have no preview yet.")
    if under_way(preview):
        return _("The preview is not there yet. Wait a moment, then start.")
    if preview.state != State.DONE:
        return _("The preview failed, and so would the run: {why}").format(why=preview.error)
    return str(preview.result.get("refusal") or "")


WORDS = {
    "context": gettext_noop("read"),
    "trained": gettext_noop("learned"),
    "masked": gettext_noop("masked"),
    "end": gettext_noop("end"),
    "good": gettext_noop("+ good"),
    "wrong": gettext_noop("− wrong"),
}
LEFT_OUT = {
    "all_masked": gettext_noop("all masked"),
    "empty": gettext_noop("empty"),
    "no_label": gettext_noop("no label"),
    "no_labels": gettext_noop("no labels"),
    "no_rejected": gettext_noop("no rejected"),
    "no_reward": gettext_noop("no reward"),
    "same_sides": gettext_noop("same sides"),
    "too_long": gettext_noop("too long"),
}
STEP_MARKS = {"good", "wrong", "partly"}


@dataclass(frozen=True, slots=True)
class ShownRow:
    kind: str
    side: str
    tokens: int
    weight: float
    pieces: list[tuple[str, str, str]]  # text, how it is used, the word for that


@dataclass(frozen=True, slots=True)
class Shown:
    """A finished preview, ready for its page."""

    rows: list[ShownRow]
    dropped: list[tuple[str, int]]
    ends_trained: int | None  # None: a scorer, which writes nothing that could end
    steps: bool  # the labels of steps are what is learned
    refusal: str


def shown_of(preview: WorkUnit | None) -> Shown | None:
    """None while there is nothing to show."""
    if preview is None or under_way(preview):
        return None
    result = preview.result
    pairs = any(row.get("side") == "rejected" for row in result.get("rows", []))
    rows = [
        ShownRow(
            row["kind"],
            row.get("side", "") if pairs else "",
            row["tokens"],
            row.get("weight", 1.0),
            [(text, *_marked(use)) for text, use in row["pieces"]],
        )
        for row in result.get("rows", [])
    ]
    counted = sorted(result.get("dropped", {}).items(), key=lambda item: (-item[1], item[0]))
    dropped = [(_(LEFT_OUT.get(why, why)), n) for why, n in counted]
    objective = OBJECTIVES[preview.payload["finetune"]["objective"]]
    return Shown(
        rows,
        dropped,
        result.get("ends_trained", 0) if objective.gives == "policy" else None,
        any(use in STEP_MARKS for row in rows for _text, use, _word in row.pieces),
        not_startable(preview),
    )


def _marked(use: str) -> tuple[str, str]:
    """What marks a passage and the word for it; a step's label may be a chance, as "0.60"."""
    if use in WORDS:
        return use, _(WORDS[use])
    return "partly", _("± {percent} % good").format(percent=round(100 * float(use)))
