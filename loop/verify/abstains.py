"""For prompts that have no answer: right is who says so.

A prompt tagged ``unanswerable`` (`loop.prompts.tags`) is checked here, whatever checker it names. Silence is
no abstention: a model that falls silent or is cut off has not said that it cannot know.
"""

from __future__ import annotations

import re

from loop.records import Prompt, Response, Verdict
from loop.verify import Checked

_SAID = re.compile(
    r"\b(?:unanswerable|unknowable|undetermined|indeterminate"
    r"|(?:can(?:not|'t| not)|could ?n(?:o|')t)"
    r" (?:be )?(?:know|tell|say|answer|determin|solv|work(?:ed)? out)\w*"
    r"|(?:not|n't|in)[ -]?(?:have |given |provide |contain |there is )?(?:sufficient|enough)"
    r" (?:information|data|details|facts)"
    r"|(?:no|without an?) (?:answer|solution|way to (?:know|tell))"
    r"|impossible to (?:know|tell|say|answer|determine|solve)"
    r"|(?:i )?(?:do not|don't) know|unknown)\b",
    re.IGNORECASE,
)


def check(_prompt: Prompt, response: Response) -> Checked:
    """RIGHT when the stated answer, or the last line where none is stated, says that there is none."""
    lines = [line for line in response.text.splitlines() if line.strip()]
    said = response.answer if response.answer is not None else lines[-1] if lines else ""
    if response.finish != "length" and _SAID.search(said.replace("\u2019", "'")):
        return Checked(Verdict.RIGHT)
    return Checked(Verdict.WRONG, "the question cannot be answered, and the response does not say so")
