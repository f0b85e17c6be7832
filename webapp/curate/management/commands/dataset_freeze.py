"""Freeze a dataset version by hand."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from pydantic import ValidationError

from loop.recipe_parts import CuratePart
from loop.records import RowKind
from webapp.curate.composing import compose
from webapp.curate.models import Example
from webapp.curate.services import dataset_compose
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
        parser.add_argument(
            "--share",
            action="append",
            default=[],
            metavar="SOURCE=SHARE",
            help="wanted share, e.g. people=0.5",
        )
        parser.add_argument(
            "--weight", action="append", default=[], metavar="SOURCE=FACTOR", help="weight in the loss, times"
        )
        parser.add_argument("--max-age", type=int, help="oldest age of a row, in champions")
        parser.add_argument("--max-rows-per-prompt", type=int)
        parser.add_argument("--replay-share", type=float, help="at most this share is of earlier iterations")
        parser.add_argument("--leak-ngram", type=int, help="words in a run; 0: look for no near-copies")
        parser.add_argument("--leak-share", type=float, help="share of runs that makes a near-copy")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--note", default="")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"no project called {options['project']!r}", returncode=2)
        part = _part(options)
        examples = Example.objects.filter(project=project, iteration__arm="main")
        if options["kind"]:
            examples = examples.filter(kind__in=options["kind"])
        if options["iteration"] is not None:
            fresh, replayed = examples.filter(iteration__number=options["iteration"]), None
        else:
            newest = (
                examples.order_by("-iteration__number").values_list("iteration__number", flat=True).first()
            )
            fresh = examples.filter(iteration__number=newest or 0)
            replayed = examples.exclude(iteration__number=newest or 0)
        composition = compose(
            project=project, fresh=fresh, replayed=replayed, part=part, seed=options["seed"]
        )
        if not composition.mixture.rows:
            raise CommandError(
                "no accepted examples match: run an iteration first, or widen the choice", returncode=2
            )
        dataset = dataset_compose(project=project, composition=composition, note=options["note"])
        facts = {
            "dataset": dataset.number,
            "sha256": dataset.sha256,
            "rows": dataset.row_count,
            "kinds": dataset.manifest["kinds"],
            "left_out": composition.dropped,
            "missing": list(composition.mixture.missing),
        }
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        self.stdout.write(f"dataset {dataset.number}: {dataset.row_count} rows, sha256 {dataset.sha256[:12]}")
        for reason, count in composition.dropped.items():
            self.stdout.write(f"  left out {count}: {reason}")
        if missing := composition.mixture.missing:
            wanted = ", ".join(source.replace("_", " ") for source in missing)
            self.stdout.write(f"  no rows of a wanted source: {wanted}; the other shares grew in proportion")


def _part(options: dict[str, Any]) -> CuratePart:
    names = ("max_age", "max_rows_per_prompt", "replay_share", "leak_ngram", "leak_share")
    settings = {name: options[name] for name in names if options[name] is not None}
    try:
        for name in ("share", "weight"):
            pairs = [text.partition("=") for text in options[name]]
            settings[f"{name}s"] = {source: float(value) for source, _, value in pairs}
        return CuratePart(**settings)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}".lstrip(": ") for e in error.errors())
        raise CommandError(said, returncode=2) from error
    except ValueError as error:
        raise CommandError(f"--share and --weight are SOURCE=NUMBER: {error}", returncode=2) from error
