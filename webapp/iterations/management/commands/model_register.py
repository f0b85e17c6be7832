"""Register an adapter that was trained elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from webapp.iterations.services import adapter_inspect
from webapp.projects.models import Project
from webapp.registry.services import OtherBase, RegistryError, adapter_import


class Command(BaseCommand):
    help = (
        "Register a PEFT adapter folder (safetensors only) as a model version; a worker checks that it fits."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="the project's slug")
        parser.add_argument(
            "--adapter", required=True, type=Path, metavar="FOLDER", help="adapter_config.json + safetensors"
        )
        parser.add_argument(
            "--trained-on-this-base",
            action="store_true",
            help="you know that it was, though its configuration names another base or none",
        )
        parser.add_argument("--note", default="", help="what people should know of it; part of its card")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"no project called {options['project']!r}", returncode=2)
        try:
            with transaction.atomic():
                version = adapter_import(
                    project=project,
                    folder=options["adapter"],
                    trained_on_this_base=options["trained_on_this_base"],
                    note=options["note"],
                )
                adapter_inspect(version=version, by=None)
        except OtherBase as error:
            raise CommandError(f"{error} (--trained-on-this-base)", returncode=2) from error
        except RegistryError as error:
            raise CommandError(str(error), returncode=2) from error
        facts = {"model": version.name, "adapter_sha": version.adapter_sha, "status": version.status}
        self.stdout.write(
            json.dumps(facts)
            if options["json"]
            else f"registered {version.name}; a worker loads it to see that it fits, then measure it with"
            " model_evaluate"
        )
