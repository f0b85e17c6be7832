"""Checking answers. The folder is the registry: a checker is a module here with ``check``.

``check(prompt, response) -> Checked``. A prompt names its checker in ``prompt.verifier``. One that knows the
steps may also have ``first_error(prompt, steps)``: critics are then measured against it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast

from loop.model import Model
from loop.prompts.tags import unanswerable
from loop.records import Prompt, Response, Score, Verdict


@dataclass(frozen=True, slots=True)
class Checked:
    verdict: Verdict
    detail: str = ""  # why, in plain words, unless right


class Checker(Protocol):
    def check(self, prompt: Prompt, response: Response) -> Checked: ...


@cache
def checker_names() -> tuple[str, ...]:
    """Every checker's name: modules of this folder that do not begin with an underscore."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def checker_named(name: str) -> Checker:
    """The checker module called ``name``.

    Raises:
        LookupError: no such checker.
    """
    if name not in checker_names():
        raise LookupError(
            f"no checker called {name!r} in loop/verify; there are: {', '.join(checker_names())}"
        )
    return cast(Checker, importlib.import_module(f"loop.verify.{name}"))


# Where the first error of a solution is: its 0-based step, or None where no step is wrong.
Locate = Callable[[Prompt, Sequence[str]], "int | None"]


def locator_named(name: str) -> Locate | None:
    """``first_error`` of a checker that knows right steps from wrong ones; None: it judges answers alone."""
    return getattr(checker_named(name), "first_error", None) if name in checker_names() else None


def check(prompt: Prompt, response: Response) -> Checked:
    """The verdict of the prompt's checker. A checker that fails gives ERROR, no checker UNKNOWN.
    Of a prompt that cannot be answered, right is a response that says so (see `loop.verify.abstains`).

    Raises:
        LookupError: the prompt names a checker that does not exist (a set-up mistake, not a verdict).
    """
    name = "abstains" if unanswerable(prompt) else prompt.verifier
    if not name:
        return Checked(Verdict.UNKNOWN, "the prompt names no checker")
    checker = checker_named(name)
    try:
        return checker.check(prompt, response)
    except Exception as error:  # an error is not a score: whatever broke, nothing is learned from it
        return Checked(Verdict.ERROR, f"{name} failed: {type(error).__name__}: {error}")


def answer(model: Model, prompt: Prompt, response: Response) -> Score:
    """Check a response and keep the verdict as its "verifier" score."""
    score = score_of(response, check(prompt, response))
    model.keep(score)
    return score


def score_of(response: Response, checked: Checked) -> Score:
    value = {Verdict.RIGHT: 1.0, Verdict.WRONG: 0.0}.get(checked.verdict)
    return Score(response.id, "verifier", value, checked.verdict, checked.detail)
