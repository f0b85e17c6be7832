"""How numbers are written: with units, with intervals where they are estimates, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django import template
from django.template.defaultfilters import filesizeformat
from django.utils.formats import get_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

register = template.Library()

MINUS = "\u2212"
THIN = "\u202f"


def _missing(value: Any) -> bool:
    """Not measured: None, or what a template makes of a name that leads nowhere."""
    return value is None or value == ""


@dataclass(frozen=True, slots=True)
class Style:
    """What a language writes numbers with."""

    mark: str  # before decimals
    to: str  # between the ends of an interval
    nouns: Mapping[str, str]

    def marked(self, text: str) -> str:
        return text.replace(".", self.mark)

    def interval(self, low: str, high: str) -> str:
        return self.to.format(low=low, high=high)


@cache
def _style_of(_language: str | None) -> Style:
    nouns = {
        "points": _("points"),
        "tokens": _("tokens"),
        "bits": _("bits"),
        "h": "h",
        "per hour": _("per hour"),
    }
    return Style(get_format("DECIMAL_SEPARATOR"), _("{low} to {high}"), nouns)


def _style() -> Style:
    """The reader's. A page has a thousand numbers, so that each looks it up but once."""
    return _style_of(get_language())


def marked(text: str) -> str:
    """With the decimal mark of the reader's language."""
    return _style().marked(text) if "." in text else text


def _signed(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    sign = "" if float(text) == 0 else "+" if value > 0 else MINUS
    return sign + marked(text)


@register.filter
def percent(value: Any, digits: int = 1) -> str:
    """0.614 -> 61.4 %"""
    return "–" if _missing(value) else marked(f"{100 * value:.{digits}f}{THIN}%")


@register.filter
def points(value: Any) -> str:
    """A difference of shares in percentage points: 0.075 -> +7.5"""
    return "–" if _missing(value) else _signed(100 * value, 1)


@register.filter
def interval(ends: Any) -> str:
    """A 95 % interval of a difference: [0.041, 0.108] -> 4.1 to 10.8"""
    if not ends:
        return "–"
    style = _style()
    low, high = (f"{MINUS if 100 * x < -0.05 else ''}{abs(100 * x):.1f}" for x in ends)
    return style.interval(style.marked(low), style.marked(high))


@register.filter
def p_value(value: Any) -> str:
    if _missing(value):
        return _("p unknown")
    return marked("p < 0.001" if value < 0.001 else f"p = {value:.3f}")


@register.filter
def whole(value: Any) -> str:
    """1234567 -> 1,234,567 with thin spaces"""
    return "–" if _missing(value) else f"{value:,.0f}".replace(",", THIN)


@register.filter
def duration(seconds: Any) -> str:
    """Seconds in words short enough for a table: 8 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if _missing(seconds):
        return "–"
    if 0 < seconds < 0.1:
        return marked(f"{seconds:.1g} s")
    if 0 < seconds < 10:
        return marked(f"{seconds:.1f} s")
    left = round(seconds)
    if left < 60:
        return f"{left} s"
    minutes, rest = divmod(left, 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest} s" if rest and minutes < 10 else "")
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    days, hours = divmod(hours, 24)
    return f"{days} d" + (f" {hours} h" if hours and days < 10 else "")


def _plain(value: float, unit: str, style: Style) -> str:
    """A number of a metric's unit without the unit's name, where that stands elsewhere."""
    if unit == "share":
        return style.marked(f"{100 * value:.1f}")
    if unit == "points":
        return points(value)
    if unit in ("count", "tokens"):
        digits = 0 if abs(value) >= 100 or value == int(value) else 1
    else:
        digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
    return style.marked(f"{value:,.{digits}f}".replace(",", THIN)).replace("-", MINUS)


def written(value: float | None, unit: str) -> str:
    """A number of a metric's unit: 61.4 %, +7.5 points, 1 204 tokens, 3 min 20 s, 2.31 bits, 1.2 GB."""
    if value is None:
        return "–"
    if unit == "s":
        return duration(value) if value >= 0 else MINUS + duration(-value)
    if unit == "bytes":
        return filesizeformat(value).replace("\xa0", THIN)
    style = _style()
    text = _plain(value, unit, style)
    if unit == "share":
        return text + THIN + "%"
    noun = style.nouns.get(unit)
    return f"{text} {noun}" if noun else text


def written_interval(low: float | None, high: float | None, unit: str) -> str:
    """The 95 % interval beside a number of that unit, without the unit: 59.3 to 63.5. Empty when unknown."""
    if low is None or high is None:
        return ""
    if unit in ("s", "bytes"):
        return _style().interval(written(low, unit), written(high, unit))
    style = _style()
    return style.interval(_plain(low, unit, style), _plain(high, unit, style))


def written_difference(before: float | None, after: float | None, unit: str) -> str:
    """after - before with its sign; shares differ by points."""
    if before is None or after is None:
        return "–"
    by = after - before
    if unit in ("share", "points"):
        return f"{points(by)} {_style().nouns['points']}"
    text = written(abs(by), unit)
    zero = _plain(abs(by), unit, _style()).strip("0.,") == ""
    return text if zero else ("+" if by > 0 else MINUS) + text


def tick_text(value: float, unit: str) -> str:
    """A number on an axis."""
    if unit == "share":
        return marked(f"{100 * value:g} %")
    if unit == "points":
        return marked(f"{100 * value:+g}").replace("-", MINUS) if value else "0"
    if unit in ("s", "bytes"):
        return written(value, unit) if value else "0"
    return marked(f"{value:,.10g}".replace(",", THIN)).replace("-", MINUS)


@register.filter
def measured(row: Any) -> str:
    """A metric value (with value, low, high and unit) and its 95 % interval: 61.4 % (59.3 to 63.5)"""
    if not row or row.value is None:
        return "–"
    ends = written_interval(row.low, row.high, row.unit)
    return written(row.value, row.unit) + (f" ({ends})" if ends else "")


@register.filter
def by_unit(value: Any, unit: str) -> str:
    """{{ 0.614|by_unit:"share" }} -> 61.4 %"""
    return "–" if _missing(value) else written(float(value), unit)


@register.filter
def figure(value: Any) -> Any:
    """A measured float with as many digits as it deserves; anything else as it is."""
    return marked(f"{value:.4g}") if isinstance(value, float) else value


@register.filter
def one_line(text: Any) -> str:
    """Lines one after another with a mark where each ends: else steps run together."""
    return " ↵ ".join(line.strip() for line in str(text or "").splitlines() if line.strip())


@register.filter
def words(value: str) -> str:
    """rolled_back -> rolled back"""
    return str(value).replace("_", " ").replace("-", " ")
