"""A report as plain parts: what it says does not depend on whether it becomes a page or Markdown.

All texts are plain; who renders escapes. Model text is untrusted and appears in examples alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Text:
    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    kind: ClassVar[str] = "bullets"
    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """``numbers``: which columns are numbers, ``codes``: which hold hashes. ``title`` stands above it.

    A row of one cell heads the rows after it. ``twin``: a drawing before it shows the same.
    """

    kind: ClassVar[str] = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] = ()
    title: str = ""
    codes: Sequence[int] = ()
    twin: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """An alarm: what was seen, what to do, and whether somebody dealt with it."""

    kind: ClassVar[str] = "alert"
    title: str
    level: str
    text: str
    what_to_do: str
    dealt_with: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt with both models' responses."""

    kind: ClassVar[str] = "example"
    turned: str  # right or wrong
    prompt: str
    reference: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Drawn by a template of the site; Markdown leaves it out: the table after it has its numbers."""

    kind: ClassVar[str] = "drawing"
    template: str
    chart: Any
    label: str
    caption: str = ""


Block = Text | Bullets | Table | Alert | Example | Drawing


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Report:
    """``verdict``: one or two words; ``tone``: good, warn, bad or empty. ``made``: when the report was."""

    project: str
    title: str
    verdict: str
    tone: str
    headline: str
    made: str
    sections: Sequence[Section] = field(default_factory=tuple)
