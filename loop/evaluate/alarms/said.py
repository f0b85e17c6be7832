"""What a rule says: texts with named holes and the figures for them, worded when somebody reads them.

An alarm keeps its sentences as plain data, so that everybody reads them in their own language. The texts are
keys of the catalogues of translations: locale/extract.py finds what `Sentence`, `saying` and `phrase` are
given where it is written, so each stands there whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from loop.phrases import phrase

MINUS = "\u2212"
Form = Literal["share", "change", "points", "number", "percent"]


class Figure(NamedTuple):
    """A number and how it is put; ``low`` and ``high``: its 95 % interval."""

    form: Form
    value: float
    low: float | None = None
    high: float | None = None


class Sentence(NamedTuple):
    """``text`` has a ``{name}`` for each of ``holes``: a figure, or words that `phrase` marks."""

    text: str
    holes: Mapping[str, Figure | str] = {}


_POINTS = phrase("{number} points")
_UNITS = {"share": "{number} %", "percent": "{number} %", "change": _POINTS, "points": _POINTS}
_INTERVAL = phrase("{value} (95 % {low} to {high})")


@dataclass(frozen=True, slots=True)
class Language:
    """How a language words what rules say; ``translated`` gives its words for an English text."""

    translated: Callable[[str], str] = phrase
    decimal_mark: str = "."

    def worded(self, said: Iterable[Any]) -> str:
        """Sentences one after another, as they were said or as JSON gave them back."""
        return " ".join(self._sentence(*sentence) for sentence in said)

    def _sentence(self, text: str, holes: Mapping[str, Any]) -> str:
        filled = {
            name: self.translated(hole) if isinstance(hole, str) else self._figure(Figure(*hole))
            for name, hole in holes.items()
        }
        return self.translated(text).format(**filled)

    def _figure(self, figure: Figure) -> str:
        form, value, low, high = figure
        sign, unit = "+" if form == "change" else "", _UNITS.get(form)
        told = self._number(form, value, sign)
        if unit is not None:
            told = self.translated(unit).format(number=told)
        if low is None or high is None:
            return told
        ends = {"low": self._number(form, low), "high": self._number(form, high)}
        return self.translated(_INTERVAL).format(value=told, **ends)

    def _number(self, form: Form, value: float, sign: str = "") -> str:
        if form == "percent":
            text = f"{100 * value:g}"
        else:
            text = f"{value:.2f}" if form == "number" else f"{100 * value:{sign}.1f}"
        if float(text) == 0:
            text = text.lstrip("+-")
        return text.replace("-", MINUS).replace(".", self.decimal_mark)


ENGLISH = Language()
