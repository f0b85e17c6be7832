"""Say what takes room and is needed by nothing; with --delete, remove it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from webapp.iterations.services import storage_clean
from webapp.projects.models import Project


class Command(BaseCommand):
    help = (
        "List adapters, checkpoints and exports that nothing needs; --delete removes them. The scheduler"
        " does that every hour."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", help="the weights of this project only (its slug)")
        parser.add_argument("--delete", action="store_true", help="remove them (default: only say what)")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first() if options["project"] else None
        if options["project"] and project is None:
            raise CommandError(f"no project called {options['project']!r}", returncode=2)
        spent = storage_clean(now=timezone.now(), delete=options["delete"], project=project)
        total = sum(s.bytes for s in spent)
        if options["json"]:
            facts = {"deleted": options["delete"], "bytes": total, "spent": [asdict(s) for s in spent]}
            self.stdout.write(json.dumps(facts))
            return
        for one in spent:
            self.stdout.write(f"{one.kind:8} {one.bytes / 1e6:10.1f} MB  {one.name}  ({one.why})")
        verb = "removed" if options["delete"] else "can go; remove it with --delete"
        self.stdout.write(f"{total / 1e6:.1f} MB {verb}" if spent else "everything here is needed")
