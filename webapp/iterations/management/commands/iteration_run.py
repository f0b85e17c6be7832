"""Start an iteration and, if asked, wait for its end."""

from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loop.overrides import changed
from loop.recipe import RecipeError, recipe_named
from loop.stages import Status
from webapp.iterations.models import Iteration
from webapp.iterations.selectors import iteration_report, unclaimed, work_progress
from webapp.iterations.services import IterationError, iteration_start
from webapp.projects.models import Project

PATIENCE = 15.0  # seconds until a queue that nobody looks at is worth a word
ENDED = {Status.DONE.value, Status.FAILED.value, Status.CANCELLED.value}


class Command(BaseCommand):
    help = "Start one iteration of a project by a recipe. The workers of a running `./run up` do the work."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="the project's slug")
        parser.add_argument("--recipe", required=True, help="a recipe's name, as in loop/recipes")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="change one setting of the recipe, e.g. settings.samples=4 or annotate.take=0 (repeatable)",
        )
        parser.add_argument("--seed", type=int, help="makes the run repeatable (default: drawn)")
        parser.add_argument("--wait", action="store_true", help="stay until it ends, showing progress")
        parser.add_argument(
            "--simulate-annotators",
            action="store_true",
            help="a program answers in people's place (built-in arithmetic only), and is shown as one",
        )
        parser.add_argument(
            "--control-of", type=int, metavar="N", help="run the shuffled-label control of iteration N"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"no project called {options['project']!r}", returncode=2)
        try:
            recipe = changed(recipe_named(options["recipe"]), options["set"])
            control_of = self._controlled(project, options["control_of"])
            iteration = iteration_start(
                project=project,
                recipe=recipe,
                simulate_annotators=options["simulate_annotators"],
                seed=options["seed"],
                control_of=control_of,
            )
        except (RecipeError, IterationError) as error:
            raise CommandError(str(error), returncode=2) from error
        if options["wait"]:
            self._wait(iteration, quiet=options["json"])
        iteration.refresh_from_db()
        report = iteration_report(iteration)
        self.stdout.write(json.dumps(report) if options["json"] else _words(report))
        if iteration.status == Status.FAILED.value:
            raise CommandError(f"{iteration} failed: {iteration.problem}", returncode=1)

    def _controlled(self, project: Project, number: int | None) -> Iteration | None:
        if number is None:
            return None
        found = Iteration.objects.filter(project=project, number=number).first()
        if found is None:
            raise CommandError(f"{project.slug} has no iteration {number}", returncode=2)
        return found

    def _wait(self, iteration: Iteration, *, quiet: bool) -> None:
        said, since, warned = "", time.monotonic(), False
        while True:
            iteration.refresh_from_db()
            line = work_progress(iteration)
            if line != said and not quiet:
                self.stderr.write(line)
                said = line
            if iteration.status in ENDED:
                return
            if not warned and time.monotonic() - since > PATIENCE and unclaimed(iteration):
                self.stderr.write("no worker has taken the work yet: is `./run up` running?")
                warned = True
            time.sleep(0.5)


def _words(report: dict[str, Any]) -> str:
    lines = [f"iteration {report['number']} ({report['recipe']}): {report['stage']}, {report['status']}"]
    if report.get("heldout_after") is not None:
        lines.append(
            f"held-out {report['heldout_before']:.1%} -> {report['heldout_after']:.1%}"
            f" ({'promoted' if report['promoted'] else 'held'})"
        )
    return "\n".join([*lines, *report["reasons"]])
