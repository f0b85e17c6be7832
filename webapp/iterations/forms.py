"""The form that starts an iteration, and what it shares with others that name a recipe."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from loop.overrides import changed
from loop.recipe import Recipe, RecipeError, recipe_named


class ChangesForm(forms.Form):
    """Settings changed in the recipe that the field ``recipe`` names, one ``key=value`` per line.

    Valid, ``cleaned_data`` holds the lines as ``changes`` and what they make of the recipe as ``changed``.
    """

    changes = forms.CharField(
        label=_("Settings changed in it"), required=False, max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "placeholder": "annotate.take=0"}),
        help_text=_(
            "One per line. annotate.take=0 asks people nothing; curate.replay=all trains on all that was "
            "accepted so far, also beside iterations."
        ),
    )  # fmt: skip

    def clean_changes(self) -> list[str]:
        lines = self.cleaned_data["changes"].splitlines()
        return [line.strip() for line in lines if line.strip()]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if "recipe" in given and "changes" in given:
            try:
                given["changed"] = changed(recipe_named(given["recipe"]), given["changes"])
            except RecipeError as error:
                self.add_error("changes", f"{error}.")
        return given


class StartForm(ChangesForm):
    recipe = forms.ChoiceField(widget=forms.RadioSelect)
    seed = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        help_text=_("The same seed, prompts and engine give the same samples. Empty: drawn for you."),
    )
    simulate_annotators = forms.BooleanField(
        required=False,
        label=_("Let simulated annotators answer"),
        help_text=_("A program stands in for people. Its answers are marked as simulated everywhere."),
    )

    def __init__(self, *args: Any, recipes: dict[str, Recipe], may_simulate: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.recipes = recipes
        self.fields["recipe"].choices = [(name, recipe.title) for name, recipe in recipes.items()]  # type: ignore[attr-defined]
        if not may_simulate:
            del self.fields["simulate_annotators"]
