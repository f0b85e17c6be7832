"""Two turns of the loop and a control arm, driven as a person with a browser and a clock would."""

from __future__ import annotations

import platform
import secrets
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from loop.evaluate.paired import mcnemar, paired, paired_bootstrap
from loop.evaluate.rates import accuracy
from loop.recipe import recipe_named
from loop.stages import Status
from webapp.demo.annotators import Browser, accounts_ensure, answer_all
from webapp.demo.project import project_ensure
from webapp.iterations.models import Iteration
from webapp.iterations.selectors import iteration_report, work_progress
from webapp.iterations.services import iteration_start
from webapp.registry.selectors import heldout_outcomes

RECIPES = ("rest-em", "self")
PACKAGES = ("django", "celery", "torch", "transformers", "peft", "trl")
_FAILED = (Status.FAILED.value, Status.CANCELLED.value)


class DemoFailed(RuntimeError):
    """An iteration did not reach its end."""


class Demo:
    """One demo on a fresh database whose web server answers at ``url``."""

    def __init__(
        self, url: str, *, seed: int, error_rate: float, people: int, say: Callable[[str], None]
    ) -> None:
        self.url = url
        self.seed = seed
        self.error_rate = error_rate
        self.people = people
        self.say = say
        self._began = time.monotonic()

    def run(self) -> dict[str, Any]:
        """Run it all; returns the report (see docs/demo.md for its keys).

        Raises:
            DemoFailed: an iteration failed; the message says why.
        """
        self.prepare()
        first = self.iterate(RECIPES[0])
        control = self.iterate(RECIPES[0], control_of=first)
        second = self.iterate(RECIPES[1])
        return {
            "iterations": [iteration_report(first), iteration_report(second)],
            "control": iteration_report(control),
            "overall": self._overall(first),
            **self.conditions(),
        }

    def prepare(self) -> None:
        """The project, and its annotators signed in."""
        self._tell("making the project: generated word problems and the seed model")
        self.project, _ = project_ensure()
        password = secrets.token_urlsafe(16)
        names = accounts_ensure(self.project, self.people, password)
        self.browsers = [Browser(self.url, name, password) for name in names]

    def conditions(self) -> dict[str, Any]:
        """What makes the run repeatable."""
        return {
            "annotators": {"people": self.people, "simulated": True, "error_rate": self.error_rate},
            "seed": self.seed,
            "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        }

    def _overall(self, first: Iteration) -> dict[str, Any]:
        """Today's champion against the model the first iteration began with, on the same held-out prompts."""
        self.project.refresh_from_db()
        begun, now = first.champion, self.project.champion
        assert begun is not None
        assert now is not None
        before, after = heldout_outcomes(begun), heldout_outcomes(now)
        a, b, _ = paired(before, after)
        test, size = mcnemar(a, b), paired_bootstrap(a, b)
        return {
            "from": begun.name,
            "to": now.name,
            "n": len(a),
            "heldout_before": accuracy(a).value,
            "heldout_after": accuracy(b).value,
            "effect": size.effect,
            "ci95": list(size.ci95),
            "p_value": test.p_value,
        }

    def iterate(self, recipe: str, control_of: Iteration | None = None) -> Iteration:
        """One whole iteration, from its start to its decision.

        Raises:
            DemoFailed: it failed, or somebody cancelled it.
        """
        iteration = iteration_start(
            project=self.project, recipe=recipe_named(recipe), seed=self.seed, control_of=control_of
        )
        self._tell(
            f"iteration {iteration.number}: {recipe}" + (", shuffled-label control" if control_of else "")
        )
        said = ""
        while True:
            iteration.refresh_from_db()
            if iteration.status == Status.WAITING.value:
                self._annotate(iteration)
            if iteration.status in _FAILED:
                raise DemoFailed(f"{iteration} {iteration.status}: {iteration.problem}")
            if iteration.status == Status.DONE.value:
                self._tell(_outcome(iteration_report(iteration)))
                return iteration
            line = work_progress(iteration)
            if line != said:
                self._tell(f"  {line}")
                said = line
            time.sleep(0.5)

    def _annotate(self, iteration: Iteration) -> None:
        self._tell(f"  {self.people} simulated annotators, {self.error_rate:.0%} errors, answer over HTTP")
        answers = answer_all(self.project, self.browsers, error_rate=self.error_rate, seed=self.seed)
        self._tell(f"  {answers} answers submitted")
        while Iteration.objects.filter(pk=iteration.pk, status=Status.WAITING.value).exists():
            time.sleep(0.2)  # the last answer moves it on, or the scheduler does

    def _tell(self, line: str) -> None:
        self.say(f"[{time.monotonic() - self._began:6.1f} s] {line}")

    @staticmethod
    def table(report: dict[str, Any]) -> str:
        """The report for reading."""
        rows = [row(f"iteration {r['number']}: {r['recipe']}", r) for r in report["iterations"]]
        rows.append(row("control: shuffled labels", report["control"]))
        overall = report["overall"]
        low, high = (x * 100 for x in overall["ci95"])
        a, b = overall["heldout_before"], overall["heldout_after"]
        summary = (
            f"Champion over the two iterations: {a:.1%} -> {b:.1%} on {overall['n']} held-out prompts"
            f" it never trained on: {overall['effect'] * 100:+.1f} points (95 % {low:+.1f} to {high:+.1f}),"
            f" p = {overall['p_value']:.2g}."
        )
        return "\n".join(["", HEAD, *rows, "", summary])


HEAD = f"{'':34}{'held-out before':>16}{'after':>9}{'change (95 %)':>24}{'p':>10}  decision"


def row(name: str, r: dict[str, Any]) -> str:
    """A line of a table under `HEAD`."""
    if r["heldout_before"] is None:
        return f"{name:34}  not trained: {r['status']}"
    low, high = (x * 100 for x in r["ci95"])
    change = f"{r['effect'] * 100:+.1f} ({low:+.1f} to {high:+.1f})"
    decision = "promoted" if r["promoted"] else "control arm" if r["arm"] != "main" else "held"
    numbers = f"{r['heldout_before']:>16.1%}{r['heldout_after']:>9.1%}{change:>24}{r['p_value']:>10.2g}"
    return f"{name:34}{numbers}  {decision}"


def _outcome(report: dict[str, Any]) -> str:
    name = f"iteration {report['number']}"
    if report["heldout_before"] is None:
        return f"{name} ended without training"
    decision = "promoted" if report["promoted"] else "not promoted"
    why = "; ".join(report["reasons"])
    return (
        f"{name}: held-out {report['heldout_before']:.1%} -> {report['heldout_after']:.1%}, {decision}: {why}"
    )
