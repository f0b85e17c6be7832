"""How rules put numbers: with their unit and interval."""

from __future__ import annotations

from collections.abc import Callable

from loop.evaluate.alarms.rule import Seen

MINUS = "\u2212"


def _number(value: float, digits: int, sign: str = "") -> str:
    text = f"{value:{sign}.{digits}f}"
    if float(text) == 0:
        return text.lstrip("+-")
    return text.replace("-", MINUS)


def _with_interval(seen: Seen, one: Callable[[float], str], unit: str, first: str) -> str:
    if seen.low is None or seen.high is None:
        return f"{first}{unit} (n {seen.n})"
    return f"{first}{unit} (95 % {one(seen.low)} to {one(seen.high)})"


def share(seen: Seen) -> str:
    """61.4 % (95 % 58.0 to 64.8)"""
    assert seen.value is not None
    return _with_interval(seen, lambda x: _number(100 * x, 1), " %", _number(100 * seen.value, 1))


def points(seen: Seen) -> str:
    """+7.5 points (95 % 4.1 to 10.8): a difference of shares."""
    assert seen.value is not None
    return _with_interval(seen, lambda x: _number(100 * x, 1), " points", _number(100 * seen.value, 1, "+"))


def number(seen: Seen, unit: str = "") -> str:
    """1.34 (95 % 1.28 to 1.41)"""
    assert seen.value is not None
    return _with_interval(seen, lambda x: _number(x, 2), unit, _number(seen.value, 2))


def percent(value: float) -> str:
    """A bare limit: 0.15 -> 15 %"""
    return f"{100 * value:g} %"
