"""The headless demo: iterations with simulated annotators, a control arm or two bad recipes, and a report."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.demo.dashboards import Dashboards
from webapp.demo.runner import Demo


class Command(BaseCommand):
    help = (
        "Run two iterations (rest-em, then self) on the built-in project, with simulated annotators who work"
        " over HTTP and a shuffled-label control arm. Prints a table and writes report.json under the state"
        " folder. With --dashboards five iterations instead, two of them bad on purpose, and which alarms"
        " fired. Started by `./run demo`, which brings the services."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seed", type=int, default=0, help="of the iterations and the annotators' errors"
        )
        parser.add_argument(
            "--error-rate", type=float, default=0.05, help="share of answers the annotators get wrong"
        )
        parser.add_argument("--people", type=int, default=2, help="simulated annotators")
        parser.add_argument(
            "--dashboards", action="store_true", help="five iterations, two of them bad on purpose"
        )
        parser.add_argument("--report", type=Path, help="where to write the report")
        parser.add_argument(
            "--json", action="store_true", help="print the report as one JSON object at the end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        url = os.environ.get("WHETSTONE_URL")
        if not url:
            raise CommandError("no web server: start the demo with `./run demo`", returncode=2)
        demo = (Dashboards if options["dashboards"] else Demo)(
            url,
            seed=options["seed"],
            error_rate=options["error_rate"],
            people=options["people"],
            say=self._say,
        )
        report = demo.run()
        report["seconds_total"] = round(time.monotonic() - started, 1)
        path = options["report"] or settings.VAR_DIR / "report.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        self.stdout.write(json.dumps(report) if options["json"] else demo.table(report))
        self._say(f"report: {path}")
        self._say(f"look at it, until the next demo: WHETSTONE_VAR={settings.VAR_DIR} ./run up")

    def _say(self, line: str) -> None:
        self.stderr.write(line)
        self.stderr.flush()
