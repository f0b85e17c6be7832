"""How a dataset version is mixed by hand, and why examples are rejected."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from pydantic import ValidationError

from loop.recipe_parts import CuratePart
from loop.records import RowKind
from webapp.curate.listing import SOURCES
from webapp.curate.models import Example
from webapp.curate.versions import SOURCE_ORDER
from webapp.projects.models import Project

_DEFAULT = CuratePart()


def _words(name: str) -> str:
    return name.replace("_", " ")


class MixForm(forms.Form):
    """What to choose from, the limits, shares and weights."""

    kinds = forms.MultipleChoiceField(
        required=False,
        label=lazy("Kinds"),
        choices=[(k.value, _words(k.value)) for k in RowKind],
        widget=forms.CheckboxSelectMultiple,
    )
    sources = forms.MultipleChoiceField(
        required=False,
        label=lazy("Accepted by"),
        choices=[(s, _words(s)) for s in SOURCES],
        widget=forms.CheckboxSelectMultiple,
    )
    first = forms.IntegerField(required=False, min_value=1, max_value=10**6, label=lazy("From iteration"))
    last = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=10**6,
        label=lazy("To iteration"),
        help_text=lazy("Rows of the newest one chosen are new; those of earlier ones count as replayed."),
    )
    max_age = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=10**6,
        label=lazy("Oldest age"),
        help_text=lazy("In champions: 0 is what the champion wrote. Empty: any."),
    )
    max_rows_per_prompt = forms.IntegerField(
        required=False, min_value=1, max_value=10**6, label=lazy("Most rows per prompt")
    )
    replay_share = forms.FloatField(
        required=False, min_value=0.1, max_value=99.9, label=lazy("Replayed at most, %")
    )
    leak_ngram = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=100,
        initial=_DEFAULT.leak_ngram,
        label=lazy("Near-copies: words in a run"),
        help_text=lazy("0: do not look for near-copies of held-out prompts."),
    )
    leak_share = forms.FloatField(
        required=False,
        min_value=1,
        max_value=100,
        initial=100 * _DEFAULT.leak_share,
        label=lazy("Near-copies: share of runs, %"),
    )
    seed = forms.IntegerField(
        required=False, min_value=0, max_value=2**31 - 1, initial=0, label=lazy("Seed of the draw")
    )
    note = forms.CharField(required=False, max_length=200, label=lazy("Note"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for source in SOURCE_ORDER:
            self.fields[f"share_{source}"] = forms.FloatField(required=False, min_value=0, max_value=100)
            self.fields[f"weight_{source}"] = forms.FloatField(required=False, min_value=0, max_value=1000)

    @property
    def mixing(self) -> list[tuple[str, forms.BoundField, forms.BoundField]]:
        """(source, its share, its weight), for the table."""
        return [(_words(s), self[f"share_{s}"], self[f"weight_{s}"]) for s in SOURCE_ORDER]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("first") and data.get("last") and data["first"] > data["last"]:
            self.add_error("last", _("It lies before the first."))
        settings: dict[str, Any] = {
            "max_age": data.get("max_age"),
            "max_rows_per_prompt": data.get("max_rows_per_prompt"),
            "replay_share": round(data["replay_share"] / 100, 6) if data.get("replay_share") else None,
            "shares": {
                s: round(data[f"share_{s}"] / 100, 6)
                for s in SOURCE_ORDER
                if data.get(f"share_{s}") is not None
            },
            "weights": {s: data[f"weight_{s}"] for s in SOURCE_ORDER if data.get(f"weight_{s}") is not None},
        }
        if data.get("leak_ngram") is not None:
            settings["leak_ngram"] = data["leak_ngram"]
        if data.get("leak_share") is not None:
            settings["leak_share"] = round(data["leak_share"] / 100, 6)
        try:
            data["part"] = CuratePart(**settings)
        except ValidationError as error:
            for problem in error.errors():
                self.add_error(None, problem["msg"].removeprefix("Value error, "))
        return data

    def chosen(self, project: Project) -> tuple[QuerySet[Example], QuerySet[Example] | None]:
        """(new examples, replayed ones) of main arms; None: there is one iteration to choose from at most."""
        data = self.cleaned_data
        iterations = project.iterations.filter(arm="main")
        if data["first"]:
            iterations = iterations.filter(number__gte=data["first"])
        if data["last"]:
            iterations = iterations.filter(number__lte=data["last"])
        with_some = iterations.filter(Exists(Example.objects.filter(iteration=OuterRef("pk"))))
        pks = list(with_some.order_by("number").values_list("pk", flat=True))
        examples = Example.objects.filter(project=project)
        if data["kinds"]:
            examples = examples.filter(kind__in=data["kinds"])
        if data["sources"]:
            examples = examples.filter(accepted_by__in=data["sources"])
        older = examples.filter(iteration__in=pks[:-1]) if len(pks) > 1 else None
        return examples.filter(iteration__in=pks[-1:]), older


class RejectForm(forms.Form):
    reason = forms.CharField(
        label=lazy("Why"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=lazy("Others will see it wherever these examples are shown."),
    )
