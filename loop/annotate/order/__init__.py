"""Which responses people are asked about first. The folder is the registry: a policy is a module here.

A policy has ``order(items, seed) -> items``, a permutation of what it is given that depends on nothing else,
and ``READS``, the fields of `Askable` it looks at. The first line of its docstring is what people read.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast

from loop.annotate.order._askable import NO_CONFIDENCE, Askable, confidence
from loop.annotate.order._control import with_control

__all__ = [
    "NO_CONFIDENCE",
    "Askable",
    "Policy",
    "choose",
    "confidence",
    "policies",
    "policy_named",
    "policy_names",
    "with_control",
]


class _Module(Protocol):
    READS: tuple[str, ...]
    __doc__: str

    def order(self, items: Sequence[Askable], seed: int) -> list[Askable]: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """``help``: one sentence. ``reads``: fields of `Askable`; without them the policy has no say."""

    name: str
    help: str
    reads: tuple[str, ...]

    @property
    def reads_checker(self) -> bool:
        """Whether it uses what a checker found, and so the reference: a solve rate comes from it too."""
        return bool({"checker", "verdict", "tail"} & set(self.reads))


@cache
def policy_names() -> tuple[str, ...]:
    """Every policy's name: modules of this folder that do not begin with an underscore."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def policy_named(name: str) -> Policy:
    """What the policy called ``name`` says of itself.

    Raises:
        LookupError: no such policy.
    """
    module = _module(name)
    return Policy(name, module.__doc__.splitlines()[0], module.READS)


def policies() -> list[Policy]:
    """All policies by name, for people to choose from."""
    return [policy_named(name) for name in policy_names()]


def choose(items: Sequence[Askable], order: str, take: int, seed: int) -> list[Askable]:
    """The first ``take`` in the order of the policy called ``order``; ``seed`` decides ties and draws.

    Raises:
        LookupError: no such policy.
    """
    return _module(order).order(items, seed)[:take]


def _module(name: str) -> _Module:
    if name not in policy_names():
        raise LookupError(
            f"no order called {name!r} in loop/annotate/order; there are: {', '.join(policy_names())}"
        )
    return cast(_Module, importlib.import_module(f"loop.annotate.order.{name}"))
