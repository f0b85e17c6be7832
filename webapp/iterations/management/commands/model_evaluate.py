"""Measure one model version on held-out or probe prompts, outside any iteration."""

from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loop.evaluate.rates import accuracy
from webapp.iterations.models import WorkUnit
from webapp.iterations.services import evaluation_start
from webapp.projects.models import Project
from webapp.registry.models import Evaluation, ModelVersion
from webapp.registry.services import base_register


class Command(BaseCommand):
    help = "Measure a model version on held-out or probe prompts, greedily. A finished measurement is reused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="the project's slug")
        parser.add_argument("--model", help="the version's name (default: the champion)")
        parser.add_argument("--split", choices=["heldout", "probe"], default="heldout")
        parser.add_argument("--limit", type=int, default=2000, help="at most this many prompts")
        parser.add_argument("--max-new-tokens", type=int, default=160)
        parser.add_argument("--wait", action="store_true", help="stay until it is measured")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"no project called {options['project']!r}", returncode=2)
        # The champion; on a new project, the base.
        version: ModelVersion | None = base_register(project=project)
        if options["model"]:
            version = ModelVersion.objects.filter(project=project, name=options["model"]).first()
        if version is None:
            raise CommandError(f"{project.slug} has no model called {options['model']}", returncode=2)
        for name in ("limit", "max_new_tokens"):
            if options[name] < 1:
                raise CommandError(f"--{name.replace('_', '-')} must be at least 1", returncode=2)
        prompts = project.prompts.filter(split=options["split"]).order_by("id")
        ids = list(prompts.values_list("id", flat=True)[: options["limit"]])
        if not ids:
            raise CommandError(f"{project.slug} has no {options['split']} prompts", returncode=2)
        evaluation, units = evaluation_start(
            version=version,
            split=options["split"],
            prompt_ids=ids,
            sampling={"temperature": 0.0, "max_new_tokens": options["max_new_tokens"]},
        )
        if options["wait"]:
            self._wait(evaluation, units)
        self._print(evaluation, options)

    def _wait(self, evaluation: Evaluation, units: list[WorkUnit]) -> None:
        ids = [u.pk for u in units]
        while not evaluation.done:
            failed = WorkUnit.objects.filter(pk__in=ids, state=WorkUnit.State.FAILED).first()
            if failed:
                raise CommandError(f"the evaluation failed: {failed.error}", returncode=1)
            time.sleep(0.3)
            evaluation.refresh_from_db()

    def _print(self, evaluation: Evaluation, options: dict[str, Any]) -> None:
        scored = evaluation.n - evaluation.errors
        rate = accuracy([True] * evaluation.right + [False] * (scored - evaluation.right))
        facts = {
            "model": evaluation.model_version.name,
            "split": evaluation.split,
            "done": evaluation.done,
            "n": scored,
            "errors": evaluation.errors,
            "accuracy": rate.value,
            "ci95": rate.ci95,
        }
        if options["json"]:
            self.stdout.write(json.dumps(facts))
        elif not evaluation.done:
            self.stdout.write(
                f"{evaluation.model_version.name} on {evaluation.split}: queued for the workers"
            )
        elif rate.value is None or rate.ci95 is None:
            self.stdout.write(
                f"{evaluation.model_version.name}: none of the {evaluation.n} answers could be checked"
            )
        else:
            low, high = rate.ci95
            self.stdout.write(
                f"{evaluation.model_version.name} on {scored} {evaluation.split} prompts:"
                f" {rate.value:.1%} right (95 % {low:.1%} to {high:.1%})"
            )
