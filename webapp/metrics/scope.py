"""What the groups of one measuring share: read once, and forgotten when the measuring ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

from webapp.iterations.models import Iteration

T = TypeVar("T")

_held: ContextVar[dict[tuple[Any, int], Any] | None] = ContextVar("held", default=None)


@contextmanager
def measuring() -> Iterator[None]:
    """While it lasts, what is `once` is made once for each iteration."""
    token = _held.set({})
    try:
        yield
    finally:
        _held.reset(token)


def once(make: Callable[[Iteration], T]) -> Callable[[Iteration], T]:
    """Inside `measuring`, the first result for an iteration stands for all; outside, each call makes one."""

    @wraps(make)
    def made(iteration: Iteration) -> T:
        held = _held.get()
        if held is None:
            return make(iteration)
        key = (make, iteration.pk)
        if key not in held:
            held[key] = make(iteration)
        return held[key]  # type: ignore[no-any-return]

    return made
