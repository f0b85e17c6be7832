"""How numbers are written: with units, and with intervals where they are estimates."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()

MINUS = "\u2212"
THIN = "\u202f"


def _missing(value: Any) -> bool:
    """Not measured: None, or what a template makes of a name that leads nowhere."""
    return value is None or value == ""


def _signed(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


@register.filter
def percent(value: Any, digits: int = 1) -> str:
    """0.614 -> 61.4 %"""
    return "–" if _missing(value) else f"{100 * value:.{digits}f}{THIN}%"


@register.filter
def points(value: Any) -> str:
    """A difference of shares in percentage points: 0.075 -> +7.5"""
    return "–" if _missing(value) else _signed(100 * value, 1)


@register.filter
def interval(ends: Any) -> str:
    """A 95 % interval of a difference: [0.041, 0.108] -> 4.1 to 10.8"""
    if not ends:
        return "–"
    low, high = (f"{MINUS if 100 * x < -0.05 else ''}{abs(100 * x):.1f}" for x in ends)
    return f"{low} to {high}"


@register.filter
def p_value(value: Any) -> str:
    if _missing(value):
        return "p unknown"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


@register.filter
def whole(value: Any) -> str:
    """1234567 -> 1,234,567 with thin spaces"""
    return "–" if _missing(value) else f"{value:,.0f}".replace(",", THIN)


@register.filter
def duration(seconds: Any) -> str:
    """Seconds in words short enough for a table: 8 s, 3 min 20 s, 2 h 5 min."""
    if _missing(seconds):
        return "–"
    if 0 < seconds < 0.1:
        return f"{seconds:.1g} s"
    if 0 < seconds < 10:
        return f"{seconds:.1f} s"
    left = round(seconds)
    if left < 60:
        return f"{left} s"
    minutes, rest = divmod(left, 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest} s" if rest and minutes < 10 else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")


@register.filter
def figure(value: Any) -> Any:
    """A measured float with as many digits as it deserves; anything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else value


@register.filter
def one_line(text: Any) -> str:
    """Lines one after another with a mark where each ends: else steps run together."""
    return " ↵ ".join(line.strip() for line in str(text or "").splitlines() if line.strip())


@register.filter
def words(value: str) -> str:
    """rolled_back -> rolled back"""
    return str(value).replace("_", " ").replace("-", " ")
