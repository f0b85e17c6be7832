"""`prompts_import`: prompts from a JSONL or CSV file."""

import argparse
import json
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loop.prompts.readers import FieldMap, PromptFileError, read_prompts
from loop.records import Split
from loop.verify import checker_names
from webapp.projects.models import Project
from webapp.projects.services import ImportRefused, ImportReport, Placement, prompts_import

SHOWN = 10  # line numbers named in the text report; --json has them all


def placement(text: str) -> Placement:
    try:
        return Placement.parse(text)
    except ImportRefused as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class Command(BaseCommand):
    help = (
        "Import prompts from a .jsonl or .csv file. All or nothing: an unusable line is named and nothing is "
        "stored. Prompts that are here already are reported and left out, and so is a prompt whose near-copy "
        "lives in another split. Example for GSM8K: --text-field question --reference-field answer "
        "--reference-pattern '#### (.+)'"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the .jsonl or .csv file")
        parser.add_argument("--project", required=True, help="the project's short name (its slug)")
        parser.add_argument(
            "--text-field",
            default="prompt",
            help="field with the question, as text or as a list of chat messages (default: prompt)",
        )
        parser.add_argument("--system-field", help="field with a system message for that prompt")
        parser.add_argument("--reference-field", help="field with the reference answer")
        parser.add_argument(
            "--reference-pattern",
            help="regular expression; its first group, found last in the reference field, is the reference",
        )
        parser.add_argument("--id-field", default="", help="field with the prompt's own id")
        parser.add_argument(
            "--meta-field",
            action="append",
            default=[],
            help="field to keep beside the prompt; may be repeated",
        )
        parser.add_argument(
            "--split",
            type=placement,
            default=Placement(split=Split.TRAIN),
            help="train (default), heldout or probe; or ratios drawn by family: train=0.8,heldout=0.2",
        )
        parser.add_argument(
            "--verifier",
            choices=["none", *checker_names()],
            help="what checks answers against the reference (default: math_answer with a reference field)",
        )
        parser.add_argument(
            "--limit", type=int, help="read at most this many prompts from the start of the file"
        )
        parser.add_argument("--dry-run", action="store_true", help="check and report, store nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        fields = FieldMap(
            prompt=options["text_field"],
            reference=options["reference_field"],
            reference_pattern=options["reference_pattern"],
            system=options["system_field"],
            meta=tuple(dict.fromkeys([*options["meta_field"], *filter(None, [options["id_field"]])])),
        )
        verifier = options["verifier"] or ("math_answer" if fields.reference else "none")
        try:
            report = prompts_import(
                project=self._project(options["project"]),
                rows=islice(read_prompts(path, fields), options["limit"]),
                placement=options["split"],
                verifier="" if verifier == "none" else verifier,
                id_field=options["id_field"],
                dry_run=options["dry_run"],
                source=path.name,
            )
        except (PromptFileError, ImportRefused) as error:
            raise CommandError(f"{path.name}, {error}. Nothing was imported.", returncode=2) from error
        self.stdout.write(json.dumps(report.as_dict()) if options["json"] else _in_words(report, path.name))

    def _project(self, slug: str) -> Project:
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            known = (
                ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none yet"
            )
            raise CommandError(f"There is no project called {slug}; there are: {known}.", returncode=2)
        return project


def _lines(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:SHOWN]))
    more = len(numbers) - SHOWN
    return f"line {shown}" if len(numbers) == 1 else f"lines {shown}{f' and {more} more' if more > 0 else ''}"


def _in_words(report: ImportReport, name: str) -> str:
    places = ", ".join(f"{n} {split}" for split, n in report.by_split.items())
    verb = "Would import" if report.dry_run else "Imported"
    said = [f"{verb} {report.imported} of {report.read} prompts of {name}{f' ({places})' if places else ''}."]
    if report.duplicates:
        said.append(
            f"{len(report.duplicates)} are here already and were left out: {_lines(report.duplicates)}."
        )
    if report.elsewhere:
        lines = list(report.elsewhere)
        said.append(
            f"{len(lines)} have a near-copy in another split and were left out, so that nothing held out is "
            f"trained on: {_lines(lines)}."
        )
    if report.alike:
        said.append(f"{report.alike} are near-copies of other imported prompts; they share a family.")
    return "\n".join(said)
