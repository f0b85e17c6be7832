"""Every chart as a figure: a conclusion for a title, a drawing, the same numbers as a table, an address.

A module of this folder has ``FIGURES``: key -> (least role, function of the project and the address's query).
The function gives None where there is nothing to draw. Keys are unique over the folder.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import Any

from django.utils.text import slugify

from webapp.projects.models import Project, Role


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the twin. ``text`` is shown, ``raw`` goes into the CSV (None: the text). ``trace``: its
    link leads into the lineage, which opens in the drawer."""

    text: str
    raw: Any = None
    href: str = ""
    number: bool = False
    trace: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """``template`` draws ``chart``; both the page and the file for download include it.

    ``title`` is the conclusion the chart supports, ``caption`` what is drawn: axes, units, intervals.
    ``query``: the filters, as in the address.
    """

    key: str
    title: str
    caption: str
    template: str
    chart: Any
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    query: str = ""

    @property
    def id(self) -> str:
        """Its place on a page that may show the same figure with other filters as well."""
        return "-".join(
            filter(None, ("figure", self.key, slugify(self.query.replace("=", "-").replace("&", "-"))))
        )

    @property
    def columns(self) -> Iterator[Cell]:
        """The heads, set like the cells below them."""
        first = self.rows[0] if self.rows else ()
        for text, cell in zip_longest(self.head, first, fillvalue=None):
            yield Cell(text or "", number=cell is not None and cell.number)


Build = Callable[[Project, Mapping[str, str]], Figure | None]


@cache
def figures() -> Mapping[str, tuple[Role, Build]]:
    """Every figure that can be asked for by address, by key."""
    found: dict[str, tuple[Role, Build]] = {}
    for module in pkgutil.iter_modules(__path__):
        found |= importlib.import_module(f"{__name__}.{module.name}").FIGURES
    return found
