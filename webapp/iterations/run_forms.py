"""The form that starts a training run: its fields are the settings of a recipe's ``finetune`` part."""

from __future__ import annotations

from types import NoneType
from typing import Any, Literal, cast, get_args, get_origin

from django import forms
from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError

from loop.finetune.objectives import OBJECTIVES, Objective
from loop.recipe_parts import FinetunePart, meant_for
from loop.records import RowKind
from webapp.curate.models import DatasetVersion
from webapp.projects.models import Project
from webapp.registry.models import ModelVersion

MAIN = ("epochs", "learning_rate", "batch_size", "grad_accum", "max_length", "lora_rank", "lora_alpha")
LEFT_OUT = ("objective", "start")  # asked for by fields of their own
LABELS = {
    "lora_rank": _("LoRA rank"),
    "lora_alpha": _("LoRA alpha"),
    "grad_accum": _("Gradient accumulation"),
}
BASE = "base"


def kinds_of(dataset: DatasetVersion) -> dict[str, int]:
    """Its rows by kind, the most frequent first."""
    return dict(sorted(dataset.manifest.get("kinds", {}).items(), key=lambda item: (-item[1], item[0])))


def trainable_by(dataset: DatasetVersion) -> dict[str, Objective]:
    """The objectives that can learn from every kind of row the dataset has."""
    kinds = {RowKind(kind) for kind in dataset.manifest.get("kinds", {})}
    return {name: o for name, o in OBJECTIVES.items() if kinds and kinds <= o.rows}


def starts_of(project: Project) -> list[ModelVersion]:
    """Versions whose adapter a run can go on from, the newest first."""
    versions = project.model_versions.filter(
        role=ModelVersion.Role.POLICY, base=project.base, weights_removed_at=None
    )
    return list(versions.exclude(adapter_path="").order_by("-number"))


class RunForm(forms.Form):
    """``dataset`` says which objectives there are to choose from. Valid: `finetune` and `start` are set."""

    finetune: FinetunePart
    start_version: ModelVersion | None

    objective = forms.ChoiceField(
        label=_("Objective"),
        help_text=_(
            "What the loss rewards. Only those that can learn from every row of this dataset version."
        ),
    )
    start = forms.ChoiceField(
        label=_("Start from"), help_text=_("The weights that the new adapter begins with.")
    )
    seed = forms.IntegerField(
        label=_("Seed"),
        min_value=0,
        max_value=2**31 - 1,
        initial=0,
        help_text=_("The same seed, data and settings give the same adapter."),
    )

    def __init__(self, *args: Any, project: Project, dataset: DatasetVersion, **more: Any) -> None:
        super().__init__(*args, **more)
        self.project = project
        self.objectives = trainable_by(dataset)
        self.starts = {str(version.pk): version for version in starts_of(project)}
        choice = cast(forms.ChoiceField, self.fields["objective"])
        choice.choices = [(name, f"{name.upper()}{_gives(o)}") for name, o in self.objectives.items()]
        starts: list[tuple[str, Any]] = [(BASE, _("the bare base model"))]
        starts += [(pk, self._named(version)) for pk, version in self.starts.items()]
        cast(forms.ChoiceField, self.fields["start"]).choices = starts
        for name, info in FinetunePart.model_fields.items():
            if name not in LEFT_OUT and meant_for(info.description or "", self.objectives):
                self.fields[name] = _field(name, info)

    def _named(self, version: ModelVersion) -> str:
        word = _("the champion") if version.pk == self.project.champion_id else version.status
        return f"v{version.number} ({word})"

    @property
    def main(self) -> list[forms.BoundField]:
        return [self[name] for name in MAIN]

    @property
    def more(self) -> list[forms.BoundField]:
        """The rarer settings, those of the chosen objective's kin among them."""
        shown = {"objective", "start", "seed", *MAIN}
        return [self[name] for name in self.fields if name not in shown]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        settings = {
            name: value
            for name, value in cleaned.items()
            if name in FinetunePart.model_fields and name not in LEFT_OUT and value not in (None, "")
        }
        self.start_version = self.starts.get(cleaned.get("start", ""))
        try:
            self.finetune = FinetunePart.model_validate({"objective": cleaned.get("objective"), **settings})
        except ValidationError as error:
            for fault in error.errors():
                name = str(fault["loc"][0]) if fault["loc"] else ""
                if name in self.fields and name not in self.errors:
                    self.add_error(name, f"{fault['msg']}.")
        return cleaned


def _gives(objective: Objective) -> str:
    return "" if objective.gives == "policy" else f": {objective.gives.replace('_', ' ')} model"


def _field(name: str, info: Any) -> forms.Field:
    about = info.description or ""
    options: dict[str, Any] = {
        "label": LABELS.get(name, name.replace("_", " ").capitalize()),
        "help_text": about[:1].upper() + about[1:],
        "initial": info.default,
        "required": False,
    }
    kinds = [kind for kind in get_args(info.annotation) if kind is not NoneType]
    if get_origin(info.annotation) is Literal:
        return forms.ChoiceField(choices=[(value, value) for value in kinds], **options)
    kind = kinds[0] if kinds else info.annotation
    if kind is bool:
        return forms.BooleanField(**options)
    if kind is int:
        return forms.IntegerField(**options)
    return forms.FloatField(widget=forms.NumberInput(attrs={"step": "any"}), **options)
