"""What the chaos tests of runs ask of the stack: `python -m tests.chaos.runs prepare|start|retry`."""

import json
import sys
from dataclasses import asdict

import django

ROWS = 240
STEPS = 120  # that many rows, eight times, sixteen at once
FINETUNE = {"epochs": 8, "batch_size": 16, "min_rows": 1}


def prepare():
    """A project with one dataset version: solutions of its own train prompts."""
    from loop.dialects.terse import Terse
    from loop.domains.arithmetic.check import solve_from
    from loop.domains.arithmetic.generate import project_prompts
    from loop.records import RowKind, TrainRow
    from webapp.curate.models import Example
    from webapp.curate.services import dataset_freeze
    from webapp.projects.services import project_create, prompts_add

    project = project_create(name="Runs", slug="runs", base="seed", dialect="terse")
    prompts = {p.text: p for p in project_prompts(ROWS, 4, 4)}
    prompts_add(project=project, records=prompts.values())
    examples = []
    for i, stored in enumerate(project.prompts.filter(split="train").order_by("id")):
        prompt = prompts[stored.text]
        text = "\n".join(solve_from(prompt))
        row = TrainRow(RowKind.SAMPLE, str(stored.pk), Terse().solve(prompt), text)
        examples.append(
            Example(
                project=project,
                prompt=stored,
                kind=row.kind.value,
                row=asdict(row),
                row_sha=f"{i:064x}",
                accepted_by="verifier",
            )
        )
    dataset_freeze(project=project, examples=Example.objects.bulk_create(examples))


def start(version=None):
    from loop.recipe_parts import FinetunePart
    from webapp.iterations.services import run_start
    from webapp.projects.models import Project

    project = Project.objects.get(slug="runs")
    return run_start(
        project=project,
        dataset=project.dataset_versions.get(),
        finetune=FinetunePart(**FINETUNE),
        start=project.model_versions.get(name=version) if version else None,
        seed=5,
        by=None,
    ).pk


def retry(unit):
    from webapp.iterations.models import WorkUnit
    from webapp.iterations.services import run_retry

    run_retry(unit=WorkUnit.objects.get(pk=unit), by=None)


if __name__ == "__main__":
    django.setup()
    name, *words = sys.argv[1:]
    print(json.dumps({"prepare": prepare, "start": start, "retry": retry}[name](*words)))
