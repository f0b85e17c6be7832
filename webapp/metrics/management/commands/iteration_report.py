"""Write the report of an iteration to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import Http404

from webapp.iterations.page import iteration_for
from webapp.metrics import report
from webapp.projects.models import Project

MAKERS = {".html": report.html, ".md": report.markdown}


class Command(BaseCommand):
    help = "Write the report of an iteration: an HTML file that needs nothing else, or Markdown."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--iteration", required=True, type=int, metavar="N")
        parser.add_argument("file", type=Path, help="ends in .html or .md; what is there is replaced")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if (make := MAKERS.get(path.suffix)) is None:
            raise CommandError(f"{path} must end in .html or .md", returncode=2)
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"no project called {options['project']!r}", returncode=2)
        try:
            iteration = iteration_for(project, options["iteration"])
        except Http404 as error:
            raise CommandError(str(error), returncode=2) from error
        path.write_text(make(report.report_of(iteration)), encoding="utf-8")
        self.stdout.write(f"{path}: {iteration} of {project.name}")
