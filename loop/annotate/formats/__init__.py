"""Formats in which annotation work comes in and goes out. The folder is the registry.

A module here with ``read(row) -> TaskItem`` and ``write(item, answer) -> row`` is an exchange format: what
``read`` took in, ``write`` gives out again. One with ``rows(item, answer, …) -> list[row]`` is a training
format: it only goes out, and an answer may give no row, one or several. ``manifest(…)`` says what a
training format decided on the way.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol, cast

from loop.annotate.formats._item import Answer, FormatError, Outcome, TaskItem

__all__ = [
    "Answer",
    "Exchange",
    "FormatError",
    "Outcome",
    "TaskItem",
    "Training",
    "exchange",
    "exchange_names",
    "training",
    "training_names",
]


class Exchange(Protocol):
    def read(self, row: Mapping[str, Any]) -> TaskItem: ...

    def write(self, item: TaskItem, answer: Answer | None) -> dict[str, Any]: ...


class Training(Protocol):
    def rows(self, item: TaskItem, answer: Answer, *, neutral: str) -> list[dict[str, Any]]: ...

    def manifest(self, *, neutral: str) -> dict[str, Any]: ...


@cache
def _modules() -> dict[str, Any]:
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def exchange_names() -> tuple[str, ...]:
    return tuple(name for name, module in _modules().items() if hasattr(module, "read"))


def training_names() -> tuple[str, ...]:
    return tuple(name for name, module in _modules().items() if hasattr(module, "rows"))


def exchange(name: str) -> Exchange:
    """The exchange format called ``name``.

    Raises:
        LookupError: no such format.
    """
    if name not in exchange_names():
        raise LookupError(f"There is no format {name!r}; there are: {', '.join(exchange_names())}.")
    return cast(Exchange, _modules()[name])


def training(name: str) -> Training:
    """The training format called ``name``.

    Raises:
        LookupError: no such format.
    """
    if name not in training_names():
        raise LookupError(f"There is no training format {name!r}; there are: {', '.join(training_names())}.")
    return cast(Training, _modules()[name])
