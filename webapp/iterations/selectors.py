"""Reads of the iterations app."""

from __future__ import annotations

from loop.recipe import Recipe, recipe_parse
from webapp.iterations.models import Iteration, WorkUnit


def unit_for_work(unit_id: int) -> WorkUnit:
    """A unit with everything its executor reads, in one query."""
    return WorkUnit.objects.select_related(
        "iteration__project", "iteration__champion", "iteration__challenger", "iteration__dataset_version"
    ).get(pk=unit_id)


def recipe_of(iteration: Iteration) -> Recipe:
    """The recipe as it was when the iteration started."""
    return recipe_parse(iteration.recipe, f"{iteration}, recipe {iteration.recipe_name}")
