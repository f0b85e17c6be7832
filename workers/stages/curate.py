"""CURATE: derive examples from everything accepted and freeze the dataset version."""

from __future__ import annotations

from typing import Any

from webapp.iterations.selectors import recipe_of
from webapp.iterations.services import dataset_attach, unit_completion
from workers.lease import Lease, patiently


def run(unit: Any, lease: Lease) -> None:
    lease.report(message="deriving examples")
    recipe = recipe_of(unit.iteration)

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            assert held.iteration is not None
            held.result = dataset_attach(iteration=held.iteration, recipe=recipe)

    patiently(write)
