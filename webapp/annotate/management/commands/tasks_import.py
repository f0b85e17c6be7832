"""`tasks_import`: annotation tasks from a JSONL file, in bulk."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loop.annotate.formats import exchange_names
from webapp.accounts.models import User
from webapp.annotate.exchange import IMPORTED_KINDS, named_project, report_in_words
from webapp.annotate.services.importing import TasksRefused, tasks_import

SHOWN = 20  # unusable lines named in the text report; --json has a thousand


class Command(BaseCommand):
    help = (
        "Import annotation tasks: a prompt with a solution (or with responses to compare) on each line. "
        "All or nothing: unusable lines are named and nothing is stored, unless --skip-bad leaves them out. "
        "What was imported before adds nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name (its slug)")
        parser.add_argument("file", help="the .jsonl file; - reads standard input")
        parser.add_argument("--format", choices=exchange_names(), default="plain")
        parser.add_argument("--kind", choices=IMPORTED_KINDS, default=IMPORTED_KINDS[0])
        labels = parser.add_mutually_exclusive_group()
        labels.add_argument(
            "--answers", action="store_true", help="store labels as answers of the person named by --as"
        )
        labels.add_argument(
            "--gold", action="store_true", help="make gold tasks, with the labels as the known answers"
        )
        parser.add_argument("--as", dest="person", metavar="USER", help="whose answers the labels are")
        parser.add_argument("--skip-bad", action="store_true", help="leave out unusable lines and name them")
        parser.add_argument("--dry-run", action="store_true", help="check and report, store nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        project = named_project(options["project"])
        name = options["file"]
        try:
            with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as stream:
                report = tasks_import(
                    project=project,
                    stream=cast(BinaryIO, stream),
                    format=options["format"],
                    kind=options["kind"],
                    answers_by=self._person(options),
                    gold=options["gold"],
                    skip_bad=options["skip_bad"],
                    dry_run=options["dry_run"],
                    source=Path(name).name,
                )
        except TasksRefused as error:
            raise CommandError(f"{name}, {error} Nothing was imported.", returncode=2) from error
        except OSError as error:
            raise CommandError(f"{name} cannot be read: {error.strerror}.", returncode=2) from error
        self.stdout.write(json.dumps(report.as_dict()) if options["json"] else report_in_words(report, SHOWN))

    def _person(self, options: dict[str, Any]) -> User | None:
        if options["answers"] != bool(options["person"]):
            raise CommandError(
                "--answers and --as belong together: whose answers are the labels?", returncode=2
            )
        if not options["answers"]:
            return None
        person = User.objects.filter(username=options["person"]).first()
        if person is None:
            raise CommandError(f"There is no account called {options['person']}.", returncode=2)
        return person
