"""`annotations_export`: the annotation side of a project, as one file."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loop.annotate.formats import training, training_names
from loop.annotate.formats.trl_stepwise import NEUTRAL
from webapp.annotate.exchange import named_project
from webapp.annotate.services.exporting import ExportRefused, annotations_export, format_names


class Command(BaseCommand):
    help = (
        "Export a project's annotation side as JSONL. raw is everything and can be imported again "
        "(annotations_import); the other formats have one row per answer, or per final word where there is "
        "one. Beside a training format a manifest (FILE.manifest.json) says what was decided on the way."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name (its slug)")
        parser.add_argument("--format", choices=format_names(), default="raw")
        parser.add_argument("-o", "--output", default="-", help="the file to write; - is standard output")
        parser.add_argument(
            "--neutral", choices=list(NEUTRAL), default="drop", help="what booleans make of neutral steps"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name, neutral, target = options["format"], options["neutral"], options["output"]
        project = named_project(options["project"])
        try:
            pieces = annotations_export(project=project, format=name, neutral=neutral)
            if target == "-":
                for piece in pieces:
                    sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
                return
            with Path(target).open("wb") as out:
                out.writelines(pieces)
            if name in training_names():
                manifest = {"project": project.slug, **training(name).manifest(neutral=neutral)}
                beside = Path(f"{target}.manifest.json")
                beside.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        except ExportRefused as error:
            raise CommandError(str(error), returncode=2) from error
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error.strerror}.") from error
        self.stdout.write(f"Wrote {target}.")
