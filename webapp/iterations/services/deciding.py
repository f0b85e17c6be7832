"""What all decisions of a gate share, whatever was measured: figures as plain data, and what follows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from loop.evaluate.comparison import Comparison
from loop.promote import Decision
from webapp.iterations.models import Iteration
from webapp.iterations.signals import decided, weighing
from webapp.registry import services as registry


def compared(c: Comparison) -> dict[str, Any]:
    return {
        "before": c.before,
        "after": c.after,
        "effect": c.effect,
        "ci95": list(c.ci95) if c.ci95 else None,
        "p_value": c.p_value,
        "n": c.n,
        "gained": len(c.gained),
        "lost": len(c.lost),
    }


def figures(decision: Decision) -> dict[str, Any]:
    """Before and after on the held-out prompts, by slices, and the prompts that were lost."""
    first = decision.against["champion"]
    slices = [asdict(s) for s in decision.slices]
    return {
        "before": first.before,
        "after": first.after,
        "effect": first.effect,
        "ci95": list(first.ci95) if first.ci95 else None,
        "p_value": first.p_value,
        "n": first.n,
        "turned_right": len(first.gained),
        "turned_wrong": len(first.lost),
        "left_out": len(first.unpaired),
        "slices": slices,
        "slices_broken": [s for s in slices if s["broken"]],
        "failing": {
            "lost": [int(pk) for pk in first.lost],
            "unpaired": [int(pk) for pk in first.unpaired],
        },
    }


def decision_write(
    *, iteration: Iteration, promote: bool, passed: bool, reasons: list[str], facts: dict[str, Any]
) -> None:
    """Write the decision on the iteration; promote its challenger with it as evidence, or hold it.

    ``passed``: what the gate alone says. Whoever listens to `weighing` may hold a challenger that passed.
    """
    challenger = iteration.challenger
    assert challenger is not None
    if promote:
        said: list[tuple[Any, Any]] = weighing.send(sender=Iteration, iteration=iteration)
        if against := [reason for _, reasons in said for reason in reasons]:
            promote, reasons = False, [*against, *reasons]
    iteration.decision = facts | {"promote": promote, "passed": passed, "reasons": reasons}
    iteration.save(update_fields=["decision"])
    evidence: dict[str, Any] = {"evidence": iteration.decision, "iteration_id": iteration.pk}
    if promote:
        registry.champion_promote(project=iteration.project, version=challenger, reasons=reasons, **evidence)
    else:
        registry.challenger_hold(version=challenger, reasons=reasons, **evidence)
    decided.send(sender=Iteration, iteration=iteration)
