"""An arithmetic project in the database, and a worker that finishes units without a model.

Every result goes through the services that real workers use; only the thinking is made up.
"""

import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from random import Random
from threading import Barrier

from django.db import close_old_connections, connection

from loop.domains.arithmetic.check import solve_from
from loop.domains.arithmetic.generate import project_prompts
from loop.domains.arithmetic.mistakes import plant
from loop.recipe import recipe_named
from loop.stages import Stage
from tests import factories as make
from webapp.annotate.simulate import annotators_simulate
from webapp.iterations.management.commands.iteration_run import changed
from webapp.iterations.models import Iteration, Queue, Transition, WorkUnit
from webapp.iterations.selectors import recipe_of
from webapp.iterations.services import (
    challenger_register,
    dataset_attach,
    iteration_start,
    unit_claim,
    unit_completion,
)
from webapp.metrics.services import stage_measure
from webapp.projects.services import prompts_add
from webapp.registry.models import Evaluation
from webapp.registry.services import evaluation_finish_if_complete, outcomes_store

QUEUES = tuple(Queue.values)
SMALL = [
    "annotate.take=4",
    "curate.continuations=1",
    "finetune.min_rows=1",
    "gate.min_prompts=1",
    "gate.alpha=0.99",
    "gate.min_effect=0",
]
STRAIGHT = ["prepare", "generate", "annotate", "curate", "finetune", "evaluate", "promote", "done"]


@cache
def prompt_records(train, heldout, probe):
    return project_prompts(train=train, heldout=heldout, probe=probe, seed=5)


def project_with_prompts(train=6, heldout=4, probe=2):
    project = make.project_make(dialect="terse")
    prompts_add(project=project, records=prompt_records(train, heldout, probe))
    return project


def small(name="rest-em", *changes):
    return changed(recipe_named(name), [*SMALL, *changes])


def start(project=None, recipe=None, **values):
    values = {"seed": 7, **values}
    return iteration_start(project=project or project_with_prompts(), recipe=recipe or small(), **values)


def moves(iteration):
    rows = Transition.objects.filter(iteration=iteration).order_by("id")
    return [(t.from_stage, t.to_stage) for t in rows]


def straight_to(stage):
    """The only moves that lead from the first stage to this one."""
    until = STRAIGHT[: STRAIGHT.index(stage) + 1]
    return list(pairwise(until))


def claim_any():
    return next((unit for queue in QUEUES if (unit := unit_claim(queue=queue))), None)


def finish(unit):
    """Do one claimed unit and complete it."""
    with unit_completion(unit_id=unit.pk, token=unit.token) as held:
        _EFFECTS[held.kind](held)


def work_until(iteration, stage, *, limit=60):
    """Tick and finish units until the iteration stands at ``stage``."""
    from webapp.iterations.services import iteration_tick

    for _ in range(limit):
        iteration_tick(iteration_id=iteration.pk)
        iteration.refresh_from_db()
        if iteration.stage == stage:
            return iteration
        unit = claim_any()
        assert unit is not None, f"nothing to do at {iteration.stage}, {iteration.status}"
        finish(unit)
    raise AssertionError(f"{iteration} did not reach {stage}: {iteration.stage}, {iteration.status}")


def together(jobs):
    """Run the jobs at the same moment, each in a thread with a connection of its own."""
    barrier = Barrier(len(jobs))

    def run(job):
        close_old_connections()
        try:
            barrier.wait()
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def _generate(unit):
    prompts = {p.pk: p for p in unit.project.prompts.filter(pk__in=unit.payload["prompt_ids"])}
    for pk in unit.payload["prompt_ids"]:
        record = prompts[pk].record()
        for verdict, steps in (
            ("right", solve_from(record)),
            ("wrong", plant(record, Random(pk))[0]),
        ):
            response = make.response_make(
                prompts[pk],
                *steps,
                id=uuid.uuid5(uuid.NAMESPACE_OID, f"{unit.iteration_id}/{pk}/{verdict}"),
                iteration=unit.iteration,
                verdict=verdict,
                answer=steps[-1].removeprefix("Answer: "),
                logprobs=[-0.5] * 4,
                model_version=unit.iteration.champion,
                dialect="terse-1",
            )
            response.scores.create(name="verifier", value=float(verdict == "right"), verdict=verdict)


def _simulate(unit):
    annotators_simulate(iteration=unit.iteration, error_rate=0.0, seed=1)


def _curate(unit):
    unit.result = dataset_attach(iteration=unit.iteration, recipe=recipe_of(unit.iteration))


def _train(unit):
    challenger_register(
        iteration=unit.iteration,
        adapter_path=f"sha-{unit.iteration_id}",
        adapter_sha="0" * 64,
        hashes={},
        training={},
        parent=None,
    )


def _evaluate(unit):
    """The bare base gets every second prompt right, an adapter all of them."""
    evaluation = Evaluation.objects.select_related("model_version").get(pk=unit.payload["evaluation_id"])
    good = bool(evaluation.model_version.adapter_path)
    rows = []
    for pk in unit.payload["prompt_ids"]:
        prompt = unit.project.prompts.get(pk=pk)
        right = good or pk % 2
        response = make.response_make(prompt, f"Answer: {right:d}", model_version=evaluation.model_version)
        rows.append((pk, "right" if right else "wrong", response.pk))
    outcomes_store(evaluation=evaluation, outcomes=rows)
    evaluation_finish_if_complete(evaluation=evaluation)


def _measure(unit):
    stage_measure(iteration=unit.iteration, stage=Stage(unit.payload["stage"]))


_EFFECTS = {
    "measure": _measure,
    "generate": _generate,
    "simulate": _simulate,
    "continue": lambda unit: None,
    "curate": _curate,
    "train": _train,
    "evaluate": _evaluate,
}

__all__ = [
    "QUEUES",
    "SMALL",
    "Iteration",
    "WorkUnit",
    "claim_any",
    "finish",
    "moves",
    "project_with_prompts",
    "prompt_records",
    "small",
    "start",
    "straight_to",
    "together",
    "work_until",
]
