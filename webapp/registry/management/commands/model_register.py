"""Register an adapter that was trained elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.projects.models import Project
from webapp.registry.services import RegistryError, adapter_import


class Command(BaseCommand):
    help = "Register a PEFT adapter folder (safetensors only) as a model version of a project."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="the project's slug")
        parser.add_argument(
            "--adapter", required=True, type=Path, metavar="FOLDER", help="adapter_config.json + safetensors"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"no project called {options['project']!r}", returncode=2)
        try:
            version = adapter_import(project=project, folder=options["adapter"])
        except RegistryError as error:
            raise CommandError(str(error), returncode=2) from error
        facts = {"model": version.name, "adapter_sha": version.adapter_sha, "status": version.status}
        self.stdout.write(
            json.dumps(facts)
            if options["json"]
            else f"registered {version.name}; measure it with model_evaluate"
        )
