from __future__ import annotations

from typing import Any

from django import forms

from loop.recipe import Recipe


class StartForm(forms.Form):
    recipe = forms.ChoiceField(widget=forms.RadioSelect)
    seed = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        help_text="The same seed, prompts and engine give the same samples. Empty: drawn for you.",
    )
    simulate_annotators = forms.BooleanField(
        required=False,
        label="Let simulated annotators answer",
        help_text="A program stands in for people. Its answers are marked as simulated everywhere.",
    )

    def __init__(self, *args: Any, recipes: dict[str, Recipe], may_simulate: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.recipes = recipes
        self.fields["recipe"].choices = [(name, recipe.title) for name, recipe in recipes.items()]  # type: ignore[attr-defined]
        if not may_simulate:
            del self.fields["simulate_annotators"]
