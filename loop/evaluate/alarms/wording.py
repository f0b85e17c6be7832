"""The figures that rules put into their sentences, with their intervals."""

from __future__ import annotations

from loop.evaluate.alarms.rule import Seen
from loop.evaluate.alarms.said import Figure, Form


def _figure(form: Form, seen: Seen) -> Figure:
    assert seen.value is not None
    return Figure(form, seen.value, seen.low, seen.high)


def share(seen: Seen) -> Figure:
    """61.4 % (95 % 58.0 to 64.8)"""
    return _figure("share", seen)


def change_by(seen: Seen) -> Figure:
    """+7.5 points (95 % 4.1 to 10.8): a difference of shares, with its sign."""
    return _figure("change", seen)


def points(seen: Seen) -> Figure:
    """7.5 points (95 % 4.1 to 10.8), where the words say which way."""
    return _figure("points", seen)


def number(seen: Seen) -> Figure:
    """1.34 (95 % 1.28 to 1.41)"""
    return _figure("number", seen)


def percent(limit: float) -> Figure:
    """A bare limit: 0.15 -> 15 %"""
    return Figure("percent", limit)
