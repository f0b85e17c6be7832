"""The seed model's wording: short lines that a model of a few million parameters can learn.

Solution, one step per line::

    3 * 12 = 36
    36 + 9 = 45
    Answer: 45

Critique, one line per step up to the first error, then the verdict. A line says what the step should
be, then how the draft's step compares: a small model that has written the right step down can see that the
draft's is another. ``?`` stands where no better step is given::

    3 * 12 = 36 : good
    36 + 9 = 45 : wrong # wrong result
    Verdict: wrong

Comparison: the model's own solution, then the letter of the better one::

    3 * 12 = 36
    Answer: 36
    Better: B
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from loop.dialects import ReadCritique
from loop.records import Critique, Mark, Message, Prompt, Response, Step, Verdict

_WORDS: dict[Mark | None, str] = {
    Mark.GOOD: "good",
    Mark.NEUTRAL: "neutral",
    Mark.WRONG: "wrong",
    None: "unjudged",
}
_MARKS = {word: mark for mark, word in _WORDS.items()}
_VERDICTS = {v.value: v for v in (Verdict.RIGHT, Verdict.WRONG, Verdict.UNKNOWN)}
_LINE = re.compile(r"(\S(?:.*\S)?) : (good|neutral|wrong|unjudged)(?: # (\S(?:.*\S)?))?")
_JUDGEMENT = re.compile(r"(?:Better: )?([A-H])")
_NO_STEP = "?"
_VERDICT = re.compile(r"Verdict: (right|wrong|unknown)")
_ANSWER = re.compile(r"^Answer: (\S.*?)\s*$", re.MULTILINE)
_LETTERS = "ABCDEFGH"


class Terse:
    """Implements `loop.dialects.Dialect`."""

    name = "terse-1"

    def solve(self, prompt: Prompt) -> tuple[Message, ...]:
        return prompt.messages

    def critique(self, prompt: Prompt, response: Response) -> tuple[Message, ...]:
        return _asked(prompt, f"Draft:\n{response.text}\nCheck:")

    def refine(
        self,
        prompt: Prompt,
        response: Response,
        critiques: Sequence[Critique],
        history: Sequence[tuple[Response, Sequence[Critique]]] = (),
    ) -> tuple[Message, ...]:
        """The critique's own turn, every critique as the answer to it, then the request to rewrite.

        Only the last draft: the small model was taught no longer history.
        """
        talk = list(self.critique(prompt, response))
        for number, critique in enumerate(critiques):
            if number:
                talk.append(Message("user", "Check:"))
            talk.append(Message("assistant", self.write_critique(critique, response)))
        return (*talk, Message("user", "Rewrite:"))

    def try_again(self, prompt: Prompt, response: Response) -> tuple[Message, ...]:
        """The same turns with a critique that has a verdict and nothing else."""
        empty = Message("assistant", f"Verdict: {Verdict.WRONG.value}")
        return (*self.critique(prompt, response), empty, Message("user", "Rewrite:"))

    def judge(self, prompt: Prompt, responses: Sequence[Response]) -> tuple[Message, ...]:
        """Raises ValueError unless there are 2 to 8 responses."""
        if not 2 <= len(responses) <= len(_LETTERS):
            raise ValueError(f"can compare 2 to {len(_LETTERS)} responses, not {len(responses)}")
        shown = [f"{letter}:\n{r.text}" for letter, r in zip(_LETTERS, responses, strict=False)]
        return _asked(prompt, "\n".join([*shown, "Compare:"]))

    def split_steps(self, text: str) -> tuple[Step, ...]:
        """Every line with something on it is a step; spans leave out the space around it."""
        steps: list[Step] = []
        offset = 0
        for line in text.split("\n"):
            content = line.strip()
            if content:
                start = offset + line.index(content)
                steps.append(Step(len(steps), content, start, start + len(content)))
            offset += len(line) + 1
        return tuple(steps)

    def join_steps(self, steps: Sequence[str]) -> str:
        return "\n".join(steps)

    def read_answer(self, text: str) -> str | None:
        stated = _ANSWER.findall(text)
        return stated[-1] if stated else None

    def read_critique(self, text: str, response: Response) -> ReadCritique | None:
        lines = text.strip().split("\n")
        verdict = _VERDICT.fullmatch(lines[-1].strip())
        if verdict is None:
            return None
        marks: list[Mark | None] = []
        comments: dict[int, str] = {}
        corrections: dict[int, str] = {}
        for index, line in enumerate(lines[:-1]):
            read = _LINE.fullmatch(line.strip())
            if read is None or Mark.WRONG in marks or index >= len(response.steps):
                return None
            mark = _MARKS[read[2]]
            if mark is Mark.WRONG:
                if read[1] != _NO_STEP:
                    corrections[index] = read[1]
            elif read[1] != _one_line(response.steps[index].text):
                return None  # it speaks of another step than the one it marks
            marks.append(mark)
            if read[3]:
                comments[index] = read[3]
        first_error = marks.index(Mark.WRONG) if Mark.WRONG in marks else None
        count = len(response.steps)
        if first_error is None and len(marks) != count:
            return None
        marks += [None] * (count - len(marks))
        return ReadCritique(tuple(marks), first_error, _VERDICTS[verdict[1]], comments, corrections)

    def write_critique(self, critique: Critique | ReadCritique, response: Response) -> str:
        """What comes after the first error is not written: it is unjudged by definition. Corrections are
        written where a step is wrong; a reworded good step stays as it is.

        Raises:
            ValueError: the critique does not have one mark per step of the response.
        """
        if len(critique.marks) != len(response.steps):
            raise ValueError(f"{len(critique.marks)} marks do not fit {len(response.steps)} steps")
        lines = []
        for index, mark in enumerate(critique.marks):
            wrong = index == critique.first_error or mark is Mark.WRONG
            shown = critique.corrections.get(index, "") if wrong else response.steps[index].text
            line = f"{_one_line(shown) or _NO_STEP} : {_WORDS[Mark.WRONG if wrong else mark]}"
            if comment := _one_line(critique.comments.get(index, "")).replace(" : ", ": "):
                line += f" # {comment}"
            lines.append(line)
            if wrong:
                break
        verdict = critique.verdict if critique.verdict.value in _VERDICTS else Verdict.UNKNOWN
        return "\n".join([*lines, f"Verdict: {verdict.value}"])

    def read_judgement(self, text: str, n: int) -> int | None:
        read = _JUDGEMENT.fullmatch(text.strip().rsplit("\n", 1)[-1].strip())
        return _LETTERS.index(read[1]) if read and read[1] in _LETTERS[:n] else None

    def write_judgement(self, solution: str, better: int) -> str:
        """The inverse of `read_judgement`: the model's own solution, then the letter."""
        return f"{solution}\nBetter: {_LETTERS[better]}"


def _asked(prompt: Prompt, task: str) -> tuple[Message, ...]:
    """The prompt with a task about it in the same last user turn: one shape for the model to learn."""
    *earlier, last = prompt.messages
    return (*earlier, Message(last.role, f"{last.content}\n{task}"))


def _one_line(text: str) -> str:
    return " ".join(text.split())
