"""`annotations_import`: a raw export into an empty project."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.annotate.exchange import named_project
from webapp.annotate.services.restoring import RestoreRefused, annotations_import


class Command(BaseCommand):
    help = (
        "Import what annotations_export wrote (format raw) into a project that has no prompts, tasks, "
        "guidelines or queues yet. All or nothing. People are found by username; who is not here gets an "
        "account without a password."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name (its slug)")
        parser.add_argument("file", help="the raw export; - reads standard input")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        project, name = named_project(options["project"]), options["file"]
        try:
            with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as stream:
                report = annotations_import(project=project, stream=cast(BinaryIO, stream))
        except RestoreRefused as error:
            raise CommandError(str(error), returncode=2) from error
        except OSError as error:
            raise CommandError(f"{name} cannot be read: {error.strerror}.", returncode=2) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_dict()))
            return
        said = [
            f"Imported {report.tasks} tasks with {report.answers} answers, over {report.prompts} prompts."
        ]
        if report.people_made:
            said.append(f"Made {report.people_made} accounts; they cannot sign in until they get a password.")
        if report.models_unknown:
            said.append(f"{report.models_unknown} responses and critiques are of models that are not here.")
        self.stdout.write("\n".join(said))
