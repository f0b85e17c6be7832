"""ANNOTATE, by request only: the seed domain's program answers the open tasks, marked as simulated."""

from __future__ import annotations

from typing import Any

from webapp.annotate.simulate import annotators_simulate
from webapp.iterations.services import unit_completion
from workers.lease import Lease, patiently


def run(unit: Any, lease: Lease) -> None:
    lease.report(message="simulated annotators are answering")
    answers = annotators_simulate(iteration=unit.iteration, seed=unit.iteration.seed, on_answer=lease.count)

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            held.result = {"answers": answers}

    patiently(write)
