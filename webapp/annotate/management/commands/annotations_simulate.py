"""`annotations_simulate`: simulated annotators answer the open tasks of an iteration."""

import argparse
import json
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.annotate.errors import SimulationError
from webapp.annotate.selectors import iteration_progress
from webapp.annotate.simulate import annotators_simulate
from webapp.projects.models import Project


class Command(BaseCommand):
    help = (
        "Let simulated annotators answer the open annotation tasks of an iteration. Works only for prompts "
        "of the built-in arithmetic domain, whose program knows every answer; their accounts are marked so."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
        parser.add_argument("--project", required=True, help="the project's short name (its slug)")
        parser.add_argument(
            "--iteration", type=int, help="its number; without it, the newest with open tasks"
        )
        parser.add_argument(
            "--error-rate", type=float, default=0.05, help="share of answers that are wrong, 0 to 1"
        )
        parser.add_argument("--people", type=int, default=2, help="how many simulated annotators")
        parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same answers")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        iteration = self._iteration(options["project"], options["iteration"])
        try:
            made = annotators_simulate(
                iteration=iteration,
                error_rate=options["error_rate"],
                people=options["people"],
                seed=options["seed"],
            )
        except SimulationError as error:
            raise CommandError(f"{error}.", returncode=2) from error
        answers, wanted = iteration_progress(iteration)
        report = {"iteration": iteration.number, "made": made, "answers": answers, "wanted": wanted}
        if options["json"]:
            self.stdout.write(json.dumps(report))
        else:
            self.stdout.write(
                f"Iteration {iteration.number}: simulated annotators gave {made} answers; "
                f"{answers} of {wanted} are in."
            )

    def _iteration(self, slug: str, number: int | None) -> Any:
        try:
            project = Project.objects.get(slug=slug)
        except Project.DoesNotExist:
            known = (
                ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none yet"
            )
            raise CommandError(f"No project is called {slug!r}; there are: {known}.", returncode=2) from None
        iterations = apps.get_model("iterations", "Iteration").objects.filter(project=project)
        if number is not None:
            found = iterations.filter(number=number).first()
            missing = f"Project {slug} has no iteration {number}."
        else:
            found = iterations.filter(tasks__state="open").order_by("-number").first()
            missing = f"Project {slug} has no iteration with open annotation tasks."
        if found is None:
            raise CommandError(missing, returncode=2)
        return found
