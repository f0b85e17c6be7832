"""Freeze a dataset version by hand."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loop.records import RowKind
from webapp.curate.models import Example
from webapp.curate.services import dataset_freeze
from webapp.projects.models import Project


class Command(BaseCommand):
    help = "Freeze the project's accepted examples into an immutable, hashed dataset version."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="the project's slug")
        parser.add_argument(
            "--iteration", type=int, help="only examples of this iteration (default: of all main ones)"
        )
        parser.add_argument(
            "--kind", action="append", choices=[k.value for k in RowKind], help="only this kind (repeatable)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"no project called {options['project']!r}", returncode=2)
        examples = Example.objects.filter(project=project, iteration__arm="main").order_by("id")
        if options["iteration"] is not None:
            examples = examples.filter(iteration__number=options["iteration"])
        if options["kind"]:
            examples = examples.filter(kind__in=options["kind"])
        chosen = list(examples)
        if not chosen:
            raise CommandError(
                "no accepted examples match: run an iteration first, or widen the choice", returncode=2
            )
        dataset = dataset_freeze(project=project, examples=chosen)
        facts = {
            "dataset": dataset.number,
            "sha256": dataset.sha256,
            "rows": dataset.row_count,
            "kinds": dataset.manifest["kinds"],
        }
        if options["json"]:
            self.stdout.write(json.dumps(facts))
        else:
            self.stdout.write(
                f"dataset {dataset.number}: {dataset.row_count} rows, sha256 {dataset.sha256[:12]}"
            )
