"""A recipe with some of its settings changed, as ``settings.samples=4``: for commands and schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from loop.recipe import Recipe, RecipeError, recipe_parse


def changed(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """The recipe with ``a.b=value`` settings put in (values as YAML).

    Raises:
        RecipeError: not KEY=VALUE, or the result is not a valid recipe.
    """
    data = recipe.model_dump(mode="json")
    for change in changes:
        path, eq, value = change.partition("=")
        if not eq or not path:
            raise RecipeError(f"{change}: expected KEY=VALUE")
        *parents, last = path.split(".")
        part: Any = data
        for key in parents:
            part = part.get(key) if isinstance(part, dict) else None
        if not isinstance(part, dict):
            raise RecipeError(f"{change}: the recipe has no part {'.'.join(parents)!r}")
        try:
            part[last] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise RecipeError(f"{change}: the value cannot be read") from error
    return recipe_parse(data, f"recipe {recipe.name}")
