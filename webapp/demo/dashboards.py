"""Five iterations to learn the dashboards by: good ones, and two that are bad on purpose.

The bad ones start from the champion that the first iteration made, so that there is something to damage.
"""

from __future__ import annotations

import time
from typing import Any

from webapp.demo.runner import HEAD, Demo, row
from webapp.iterations.models import Iteration, WorkUnit
from webapp.iterations.selectors import iteration_report
from webapp.iterations.services.measures import KIND
from webapp.metrics.services.alarms import title_of

GOOD, BAD = "good", "bad on purpose"
# SELF comes before the bad ones: it replays all earlier rows, and would learn theirs.
PLAN = (
    ("rest-em", GOOD),
    ("self", GOOD),
    ("unfiltered", BAD),
    ("rest-em", GOOD),
    ("length-hack", BAD),
)
MEASURED_S = 120.0  # an iteration is done before its last figures are


class Dashboards(Demo):
    """The five on a fresh database; the report says which alarms fired for which."""

    def run(self) -> dict[str, Any]:
        self.prepare()
        iterations = []
        for recipe, meant in PLAN:
            iteration = self.iterate(recipe)
            self._wait_until_measured(iteration)
            iterations.append(iteration_report(iteration) | {"meant": meant, "alarms": _alarms(iteration)})
            self._tell("  alarms: " + (_titles(iterations[-1]) or "none"))
        return {"iterations": iterations, **verdict(iterations), **self.conditions()}

    def _wait_until_measured(self, iteration: Iteration) -> None:
        until = time.monotonic() + MEASURED_S
        units = WorkUnit.objects.filter(iteration=iteration, kind=KIND, state__in=("queued", "running"))
        while units.exists() and time.monotonic() < until:
            time.sleep(0.2)

    @staticmethod
    def table(report: dict[str, Any]) -> str:
        """The report for reading."""
        lines = ["", HEAD]
        for r in report["iterations"]:
            lines.append(row(f"iteration {r['number']}: {r['recipe']}", r))
            lines += [f"{'':4}{a['title']}: {a['text']}" for a in r["alarms"]]
        lines += ["", report["summary"]]
        return "\n".join(lines)


def verdict(iterations: list[dict[str, Any]]) -> dict[str, Any]:
    """Whether alarms fired for those that are bad on purpose and for no other."""
    missed = [r["number"] for r in iterations if r["meant"] == BAD and not r["alarms"]]
    false = [r["number"] for r in iterations if r["meant"] != BAD and r["alarms"]]
    bad = [str(r["number"]) for r in iterations if r["meant"] == BAD]
    summary = f"Alarms fired for the iterations that are bad on purpose ({', '.join(bad)}) and for no other."
    if missed or false:
        parts = [f"none for iteration {n}, which is bad on purpose" for n in missed]
        parts += [f"some for iteration {n}, which is not" for n in false]
        summary = "Alarms did not fire as they should: " + "; ".join(parts) + "."
    return {"as_expected": not (missed or false), "summary": summary}


def _alarms(iteration: Iteration) -> list[dict[str, Any]]:
    return [
        {"key": a.key, "title": title_of(a.key), "level": a.level, "metric": a.metric, "text": a.text}
        for a in iteration.alarms.order_by("id")
    ]


def _titles(report: dict[str, Any]) -> str:
    return ", ".join(a["title"] for a in report["alarms"])
