"""Alarms: figures of an iteration that ask for a look, each with what to do.

`RULES` are the defaults; projects switch them off, set other limits, and let them hold a promotion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loop.evaluate.alarms import critics, data, models
from loop.evaluate.alarms.models import START
from loop.evaluate.alarms.rule import Fired, Rule, Seen, Turn
from loop.evaluate.alarms.said import Language

RULES: Mapping[str, Rule] = {
    rule.key: rule for module in (models, data, critics) for rule in module.RULES
}  # what the model became first, then what it was made of


def fired(rule: Rule, now: Turn, history: Sequence[Turn] = (), limit: float | None = None) -> Fired | None:
    """What the rule has to say of an iteration, or None.

    ``history``: earlier main iterations, oldest first. ``limit``: the project's own, else the rule's. A
    control arm never alarms: it is meant to fail.
    """
    if now.control:
        return None
    chosen = rule.limit if limit is None else limit
    return rule.decide(now, history, 0.0 if chosen is None else chosen)


__all__ = ["RULES", "START", "Fired", "Language", "Rule", "Seen", "Turn", "fired"]
