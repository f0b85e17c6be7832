"""What the gate decided of an iteration and on what evidence, as parts of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loop.stages import Stage, Status
from webapp.iterations.decision_page import guards, sides, slices
from webapp.iterations.models import Iteration
from webapp.metrics.report.document import Block, Bullets, Table, Text
from webapp.metrics.templatetags.numbers import interval, p_value, percent, points, whole


def verdict(iteration: Iteration) -> tuple[str, str, str]:
    """(one or two words, their tone, the sentence with the numbers)."""
    decision = iteration.decision
    if iteration.status in (Status.FAILED.value, Status.CANCELLED.value):
        word = iteration.status.capitalize()
        return word, "bad", iteration.problem or f"It ended in stage {iteration.stage}."
    if not decision:
        if iteration.stage == Stage.DONE.value:
            last = list(iteration.transitions.all())[-1:]
            return "Nothing to train", "warn", last[0].because if last else ""
        return "Under way", "", f"It stands in stage {iteration.stage}; figures may still come."
    if iteration.arm != Iteration.Arm.MAIN:
        return "Control arm", "", _gain(decision)
    if decision.get("promote"):
        return "Promoted", "good", _gain(decision)
    return "Held", "warn", _gain(decision)


def _gain(decision: Mapping[str, Any]) -> str:
    if decision.get("before") is None:
        return "; ".join(decision.get("reasons") or [])
    text = f"Held-out {percent(decision['before'])} → {percent(decision['after'])}"
    if decision.get("effect") is None:
        return f"{text}."
    return (
        f"{text}: {points(decision['effect'])} points (95 % {interval(decision.get('ci95'))},"
        f" {p_value(decision.get('p_value'))}, {whole(decision.get('n'))} prompts, paired)."
    )


def blocks(iteration: Iteration) -> list[Block]:
    """Reasons, both sides on the same prompts, guards and slices."""
    decision = iteration.decision
    if not decision:
        return []
    found: list[Block] = [Bullets([str(reason) for reason in decision.get("reasons") or []])]
    if (right := decision.get("turned_right")) is not None:
        left_out = f"; {whole(n)} left out because a check failed" if (n := decision.get("left_out")) else ""
        text = f"{whole(right)} prompts turned right, {whole(decision.get('turned_wrong'))} turned wrong"
        found.append(Text(f"{text}{left_out}."))
    if compared := sides(iteration):
        found.append(
            Table(
                ("On the same held-out prompts", "Accuracy", "Challenger's gain, points", "p", "Tokens"),
                [_side(side) for side in compared],
                (1, 2, 3, 4),
                "Compared",
            )
        )
    if held := guards(iteration):
        held_rows = [
            (str(g["name"]), percent(g.get("before")), percent(g.get("after")), _holds(g.get("broken")))
            for g in held
        ]
        found.append(Table(("Guard", "Before", "After", ""), held_rows, (1, 2), "What must not get worse"))
    if cut := slices(iteration):
        cut_rows = [
            (f"{s.by}: {s.name}", percent(s.before), percent(s.after), whole(s.n), _holds(s.broken))
            for s in cut
        ]
        found.append(Table(("Slice", "Before", "After", "Prompts", ""), cut_rows, (1, 2, 3), "Slices"))
    return found


def _side(side: Any) -> tuple[str, ...]:
    name = f"{side.name} v{side.version}" if side.version else str(side.name)
    tokens = f"{side.tokens:.1f}" if side.tokens is not None else "–"
    if side.compared is None:
        return (name, percent(side.accuracy), "", "", tokens)
    gain = f"{points(side.compared['effect'])} ({interval(side.compared['ci95'])})"
    return (name, percent(side.accuracy), gain, p_value(side.compared["p_value"]), tokens)


def _holds(broken: Any) -> str:
    return "✕ broken" if broken else "✓ holds"


def controls(iteration: Iteration) -> list[Block]:
    """The shuffled-label controls, which should not improve."""
    rows = [
        (
            str(control),
            percent(control.decision.get("before")),
            percent(control.decision.get("after")),
            f"{points(control.decision.get('effect'))} ({interval(control.decision.get('ci95'))})",
        )
        for control in iteration.controls.order_by("number")
        if control.decision
    ]
    if not rows:
        return []
    why = "Trained on the same rows with shuffled labels: what it gains, an iteration gains without learning."
    return [Text(why), Table(("Control", "Before", "After", "Gain, points"), rows, (1, 2, 3))]
