"""Write a dataset version to a file or to standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loop.curate.formats import format_names
from webapp.annotate.exchange import named_project
from webapp.curate.card import card_of
from webapp.curate.models import DatasetVersion
from webapp.curate.services.exporting import Tally, dataset_lines, export_manifest


class Command(BaseCommand):
    help = (
        "Write a dataset version's rows as JSON lines. Beside a file stand a manifest (FILE.manifest.json)"
        " and the data card (FILE.card.md)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="the project's slug")
        parser.add_argument("--dataset", type=int, help="its number (default: the newest)")
        parser.add_argument("--format", default="rows", choices=format_names())
        parser.add_argument("--output", default="-", help="a file, or - for standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        project = named_project(options["project"])
        versions = DatasetVersion.objects.filter(project=project).select_related("project", "iteration")
        if options["dataset"] is not None:
            versions = versions.filter(number=options["dataset"])
        dataset = versions.order_by("-number").first()
        if dataset is None:
            which = f"version {options['dataset']}" if options["dataset"] is not None else "version yet"
            raise CommandError(f"{project.slug} has no dataset {which}.", returncode=2)
        tally = Tally()
        pieces = dataset_lines(dataset=dataset, name=options["format"], tally=tally)
        try:
            if options["output"] == "-":
                for piece in pieces:
                    sys.stdout.buffer.write(piece)
                sys.stdout.flush()
                return
            target = Path(options["output"])
            with target.open("wb") as file:
                file.writelines(pieces)
        except LookupError as error:
            raise CommandError(f"{error}.", returncode=1) from error
        except OSError as error:
            raise CommandError(f"{options['output']} cannot be written: {error}", returncode=2) from error
        manifest = export_manifest(dataset=dataset, name=options["format"], tally=tally)
        Path(f"{target}.manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        Path(f"{target}.card.md").write_text(card_of(dataset), encoding="utf-8")
        self.stdout.write(
            f"{tally.written} rows of dataset {dataset.number} in {target}"
            + (
                f"; {tally.left_out} of kinds that {options['format']} has no place for"
                if tally.left_out
                else ""
            )
        )
