"""Write a version to a file: its adapter with its card, or base and adapter merged into one model."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.iterations.models import WorkUnit
from webapp.iterations.services import model_merge
from webapp.registry.exports import adapter_zip, merged_folder, merged_zip
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import RegistryError


class Command(BaseCommand):
    help = "Write a model version as a zip file: safetensors, configuration and model card."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="the version's name")
        parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="default: NAME.zip here")
        parser.add_argument(
            "--merged", action="store_true", help="base and adapter as one model, made by a worker"
        )
        parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32", help="of --merged")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        version = ModelVersion.objects.filter(name=options["model"]).select_related(
            "project", "iteration", "dataset_version"
        ).first()  # fmt: skip
        if version is None:
            raise CommandError(f"no model called {options['model']}", returncode=2)
        kind = f"-merged-{options['dtype']}" if options["merged"] else ""
        out: Path = options["out"] or Path(f"{version.name}{kind}.zip")
        try:
            if options["merged"]:
                sha = self._merged(model_merge(version=version, precision=options["dtype"], by=None))
                pieces = merged_zip(version, merged_folder(sha))
            else:
                pieces = adapter_zip(version)
        except RegistryError as error:
            raise CommandError(str(error), returncode=2) from error
        aside = out.with_name(f".{out.name}.part")
        try:
            with aside.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
            aside.replace(out)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise CommandError(f"{out} cannot be written: {error.strerror}", returncode=2) from error
        facts = {"model": version.name, "file": str(out), "bytes": out.stat().st_size}
        self.stdout.write(json.dumps(facts) if options["json"] else f"wrote {out} ({facts['bytes']:,} bytes)")

    def _merged(self, unit: WorkUnit) -> str:
        """Wait for the worker; the sha of what it made."""
        while unit.state in (WorkUnit.State.QUEUED, WorkUnit.State.RUNNING):
            time.sleep(0.3)
            unit.refresh_from_db()
        if unit.state != WorkUnit.State.DONE:
            raise CommandError(f"merging failed: {unit.error or unit.state}", returncode=1)
        return str(unit.result["sha"])
