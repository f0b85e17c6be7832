"""Measure iterations anew, here or by the workers."""

from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.iterations.models import Iteration
from webapp.metrics import measures
from webapp.metrics.services import Due, backfill_due, backfill_now, backfill_queue
from webapp.projects.models import Project

AGAIN = "what was measured is kept; go on with --missing"


class Command(BaseCommand):
    help = (
        "Compute metric values anew for every stage that iterations have left. A repeat writes the same rows,"
        " and it may be interrupted at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", metavar="SLUG", help="of this project only (default: of all)")
        parser.add_argument("--iteration", type=int, metavar="N", help="this iteration of --project only")
        parser.add_argument(
            "--group", nargs="+", default=[], metavar="NAME", help="these groups of metrics only"
        )
        parser.add_argument(
            "--missing",
            action="store_true",
            help="only what was never measured, failed, or was measured by older formulas",
        )
        parser.add_argument("--queue", action="store_true", help="leave it to the workers, after other work")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        project = self._project(options["project"], options["iteration"])
        self._refuse_unknown(options["group"])
        stages = backfill_due(
            project=project,
            number=options["iteration"],
            only=options["group"],
            missing=options["missing"],
        )
        try:
            facts = self._queue(stages) if options["queue"] else self._now(stages, quiet=options["json"])
        except KeyboardInterrupt:
            raise CommandError(f"interrupted; {AGAIN}", returncode=130) from None
        self.stdout.write(json.dumps(facts) if options["json"] else _words(facts))
        if facts.get("failed"):
            raise CommandError(
                f"{len(facts['failed'])} not measured, the log says why: {'; '.join(facts['failed'])}"
            )

    def _project(self, slug: str | None, number: int | None) -> Project | None:
        if slug is None:
            if number is not None:
                raise CommandError("--iteration needs --project", returncode=2)
            return None
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            raise CommandError(f"no project called {slug!r}", returncode=2)
        if number is not None and not Iteration.objects.filter(project=project, number=number).exists():
            raise CommandError(f"{slug} has no iteration {number}", returncode=2)
        return project

    def _refuse_unknown(self, wanted: list[str]) -> None:
        known = [module.GROUP for module in measures.groups()]
        if unknown := sorted(set(wanted) - set(known)):
            raise CommandError(
                f"no group called {', '.join(unknown)}; there are {', '.join(known)}", returncode=2
            )

    def _now(self, stages: Any, *, quiet: bool) -> dict[str, Any]:
        iterations, values, failed = set(), 0, []
        for due in stages:
            begun = time.monotonic()
            measured = backfill_now(due=due)
            iterations.add(due.iteration.pk)
            values += measured.values
            failed += [f"{_named(due)}: {group}" for group in measured.failed]
            if not quiet:
                said = f"{_named(due)}: {measured.values} values in {time.monotonic() - begun:.1f} s"
                self.stderr.write(said + "".join(f", {group} failed" for group in measured.failed))
        return {"iterations": len(iterations), "values": values, "failed": failed}

    def _queue(self, stages: Any) -> dict[str, Any]:
        queued, busy = 0, []
        for due in stages:
            if backfill_queue(due=due):
                queued += 1
            else:
                busy.append(_named(due))
        return {"queued": queued, "busy": busy}


def _named(due: Due) -> str:
    return f"{due.iteration.project.slug} iteration {due.iteration.number} {due.stage.value}"


def _words(facts: dict[str, Any]) -> str:
    if "queued" in facts:
        lines = [f"queued {facts['queued']} for the light workers" if facts["queued"] else "nothing queued"]
        return "\n".join([*lines, *(f"{name}: a worker is at it now" for name in facts["busy"])])
    if not facts["iterations"]:
        return "nothing to measure"
    return f"{facts['values']} values of {facts['iterations']} iterations"
