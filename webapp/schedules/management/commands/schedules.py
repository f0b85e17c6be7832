"""A project's schedules, for those without a browser and for scripts."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.projects.models import Project
from webapp.schedules.selectors import as_dict, schedules_of


class Command(BaseCommand):
    help = "List a project's schedules as JSON: what each does, when it starts next, its last outcomes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="the project's slug")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"no project called {options['project']!r}", returncode=2)
        self.stdout.write(json.dumps([as_dict(shown) for shown in schedules_of(project)], indent=1))
