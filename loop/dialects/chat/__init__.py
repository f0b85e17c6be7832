"""Natural wording for instruct models; the prompts are the ``.jinja2`` files in this folder.

Critique, as asked for and as read::

    Step 1: correct
    Step 2: wrong - 36 + 9 is 45
    Correction: 2. 36 + 9 = 45
    Verdict: wrong
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from loop.dialects import ReadCritique
from loop.dialects.chat.steps import join, split
from loop.dialects.reading import final_answer
from loop.records import Critique, Mark, Message, Prompt, Response, Step, Verdict

LETTERS = "ABCDEFGH"
_WORDS = {Mark.GOOD: "correct", Mark.NEUTRAL: "neutral", Mark.WRONG: "wrong"}
_MARKS = {word: mark for mark, word in _WORDS.items()}
_LINE = re.compile(r"[*_]*Step (\d+):[*_]* (correct|neutral|wrong)\.?(?: - (\S.*))?", re.IGNORECASE)
_CORRECTION = re.compile(r"[*_]*Correction:[*_]* ?(.*)", re.IGNORECASE)
_VERDICT = re.compile(r"[*_]*Verdict:[*_]* (correct|wrong)\.?[*_]*", re.IGNORECASE)
_JUDGEMENT = re.compile(
    r"(?:the )?(?:best|better)(?: (?:solution|response))?(?: is)?:? \W*([A-H]|tie)\W*", re.IGNORECASE
)


@cache
def _templates() -> Environment:
    # Plain text for a model, never HTML: escaping would change the question.
    return Environment(  # noqa: S701
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=False
    )


def _worded(template: str, **values: object) -> str:
    return _templates().get_template(f"{template}.jinja2").render(**values)


class Chat:
    """Implements `loop.dialects.Dialect`."""

    name = "chat-1"

    def solve(self, prompt: Prompt) -> tuple[Message, ...]:
        *earlier, last = prompt.messages
        return (*earlier, Message(last.role, _worded("solve", question=last.content)))

    def critique(self, prompt: Prompt, response: Response) -> tuple[Message, ...]:
        return _asked(
            prompt, _worded("critique", question=prompt.text, steps=[s.text for s in response.steps])
        )

    def refine(
        self,
        prompt: Prompt,
        response: Response,
        critiques: Sequence[Critique],
        history: Sequence[tuple[Response, Sequence[Critique]]] = (),
    ) -> tuple[Message, ...]:
        """The whole exchange so far as turns: question, draft, critique, rewrite, critique ... rewrite."""
        turns: list[Message] = []
        for draft, notes in [*history, (response, critiques)]:
            written = [self.write_critique(c, draft) if c.parsed else c.text for c in notes]
            turns.append(Message("assistant", draft.text))
            turns.append(Message("user", _worded("refine", critiques=written)))
        return (*self.solve(prompt), *turns)

    def try_again(self, prompt: Prompt, response: Response) -> tuple[Message, ...]:
        draft = Message("assistant", response.text)
        return (*self.solve(prompt), draft, Message("user", _worded("try_again")))

    def judge(self, prompt: Prompt, responses: Sequence[Response]) -> tuple[Message, ...]:
        """Raises ValueError unless there are 2 to 8 responses."""
        if not 2 <= len(responses) <= len(LETTERS):
            raise ValueError(f"can compare 2 to {len(LETTERS)} responses, not {len(responses)}")
        shown = list(zip(LETTERS, (r.text for r in responses), strict=False))
        return _asked(prompt, _worded("judge", question=prompt.text, responses=shown))

    def split_steps(self, text: str) -> tuple[Step, ...]:
        return split(text)

    def join_steps(self, steps: Sequence[str]) -> str:
        return join(steps)

    def read_answer(self, text: str) -> str | None:
        return final_answer(text)

    def read_critique(self, text: str, response: Response) -> ReadCritique | None:
        """None unless every step up to the first error is judged, in order, and the verdict agrees with
        the marks."""
        lines = text.strip().split("\n")
        verdict = _VERDICT.fullmatch(lines.pop().strip())
        marks: list[Mark | None] = []
        comments: dict[int, str] = {}
        while lines and (read := _LINE.fullmatch(lines[0].strip())) and Mark.WRONG not in marks:
            lines.pop(0)
            if int(read[1]) != len(marks) + 1:
                return None
            if read[3]:
                comments[len(marks)] = read[3]
            marks.append(_MARKS[read[2].lower()])
        wrong = Mark.WRONG in marks
        first_error = marks.index(Mark.WRONG) if wrong else None
        correction = _read_correction(lines) if wrong else ""
        count = len(response.steps)
        judged = len(marks) <= count if wrong else len(marks) == count and not "".join(lines).strip()
        if verdict is None or correction is None or not judged or (verdict[1].lower() == "wrong") != wrong:
            return None
        return ReadCritique(
            marks=(*marks, *[None] * (count - len(marks))),
            first_error=first_error,
            verdict=Verdict.WRONG if wrong else Verdict.RIGHT,
            comments=comments,
            corrections={first_error: correction} if first_error is not None and correction else {},
        )

    def write_critique(self, critique: Critique | ReadCritique, response: Response) -> str:
        """Steps before the first error that nobody marked are written as correct: whoever says where the
        first error is says that.

        Raises:
            ValueError: a critique without a verdict, or its marks do not fit the response's steps.
        """
        count, error = len(response.steps), critique.first_error
        if len(critique.marks) != count or (error is not None and error >= count):
            raise ValueError(f"a critique with {len(critique.marks)} marks does not fit {count} steps")
        if error is None and critique.verdict is not Verdict.RIGHT:
            raise ValueError("a critique that names no error and does not say right cannot be written")
        lines = []
        for index in range(count if error is None else error + 1):
            mark = Mark.WRONG if index == error else critique.marks[index]
            word = _WORDS[Mark.GOOD if mark is None or (mark is Mark.WRONG and index != error) else mark]
            comment = " ".join(critique.comments.get(index, "").split())
            lines.append(f"Step {index + 1}: {word}" + (f" - {comment}" if comment else ""))
        if error is not None and (correction := critique.corrections.get(error, "").strip()):
            lines.append(f"Correction: {correction}")
        lines.append(f"Verdict: {'correct' if error is None else 'wrong'}")
        return "\n".join(lines)

    def read_judgement(self, text: str, n: int) -> int | None:
        last = text.strip().rsplit("\n", 1)[-1].strip()
        read = _JUDGEMENT.fullmatch(last) or re.fullmatch(r"\W*([A-H]|tie)\W*", last, re.IGNORECASE)
        if read is None or read[1].lower() == "tie":
            return None
        index = LETTERS.index(read[1].upper())
        return index if index < n else None

    def write_judgement(self, solution: str, better: int) -> str:
        return f"Best: {LETTERS[better]}"


def _read_correction(lines: list[str]) -> str | None:
    """The text between the wrong step's line and the verdict: nothing, or a correction; else None."""
    rest = "\n".join(lines).strip()
    if not rest:
        return ""
    first, _, more = rest.partition("\n")
    opening = _CORRECTION.fullmatch(first.strip())
    return f"{opening[1]}\n{more}".strip() if opening else None


def _asked(prompt: Prompt, task: str) -> tuple[Message, ...]:
    """A task about the prompt, in place of its last user turn; system and earlier turns stay."""
    *earlier, last = prompt.messages
    return (*earlier, Message(last.role, task))
