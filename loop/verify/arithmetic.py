"""The seed domain's own program as checker: needs no reference, reads the problem behind the prompt."""

from __future__ import annotations

from collections.abc import Sequence

from loop.records import Prompt, Response, Verdict
from loop.verify import Checked


def check(prompt: Prompt, response: Response) -> Checked:
    """Whether the stated answer is the problem's.

    Raises:
        NotArithmetic: the prompt was not made by the domain's generator.
    """
    from loop.domains.arithmetic.check import judge

    found = judge(prompt, [step.text for step in response.steps])
    return Checked(found.verdict, "" if found.verdict is Verdict.RIGHT else f"answer read: {response.answer}")


def first_error(prompt: Prompt, steps: Sequence[str]) -> int | None:
    """The first wrong step, 0-based; None where none is wrong.

    Raises:
        NotArithmetic: the prompt was not made by the domain's generator.
    """
    from loop.domains.arithmetic.check import judge

    return judge(prompt, steps).first_error
