"""The answer to each kind of task, as a schema, and the checks that need the task itself.

Step critique: one mark per step; after the first error the rest is unjudged (null), never wrong.
Preference: ``winner`` is the index of the *candidate* in ``task.response_ids``, whatever order the
candidates were displayed in; the display order is stored beside the answer.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from webapp.annotate.errors import PayloadInvalid
from webapp.annotate.models import Annotation, AnnotationTask, TaskKind

Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Index = Annotated[int, Field(ge=0)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    def check(self, texts: list[str]) -> list[str]:
        """Faults that only show beside the task's texts (steps, or candidates); none: []."""
        return []


class StepCritiqueAnswer(_Answer):
    marks: list[Literal[-1, 0, 1] | None]
    first_error: Index | None = None
    comments: dict[Index, Prose] = Field(default_factory=dict)
    corrections: dict[Index, Prose] = Field(default_factory=dict)
    verdict: Literal["right", "wrong", "unknown"]
    confidence: Literal[1, 2, 3, 4] | None = None

    @model_validator(mode="after")
    def _unjudged_after_the_first_error(self) -> Self:
        first, wrong = self.first_error, [i for i, m in enumerate(self.marks) if m == -1]
        if first is None and wrong:
            raise ValueError(f"Step {wrong[0] + 1} is marked wrong, so it must be the first error.")
        if first is None:
            return self
        if first >= len(self.marks) or self.marks[first] != -1:
            raise ValueError("The first error must be a step marked wrong.")
        if wrong[0] < first:
            raise ValueError(f"Step {wrong[0] + 1} is marked wrong before the first error.")
        judged = [i for i in range(first + 1, len(self.marks)) if self.marks[i] is not None]
        if judged:
            raise ValueError(f"Step {judged[0] + 1} comes after the first error and must stay unjudged.")
        return self

    def check(self, texts: list[str]) -> list[str]:
        count = len(texts)
        if len(self.marks) != count:
            return [f"The response has {count} steps, the answer has {len(self.marks)} marks."]
        last = count if self.first_error is None else self.first_error + 1
        problems = [f"Step {i + 1} is not rated yet." for i in range(last) if self.marks[i] is None]
        problems += [f"There is no step {i + 1} to comment on." for i in self.comments if i >= count]
        problems += [
            f"Step {i + 1} cannot be corrected: it "
            + ("does not exist." if i >= count else "follows the first error.")
            for i in self.corrections
            if i >= last
        ]
        problems += [
            f"Step {i + 1} is rated good, so there is nothing to correct."
            for i in self.corrections
            if i < last and self.marks[i] == 1
        ]
        problems += [
            f"The correction of step {i + 1} is the same as the step."
            for i, text in self.corrections.items()
            if i < last and text == texts[i].strip()
        ]
        return problems


class PreferenceAnswer(_Answer):
    winner: Index | None = None
    strength: Literal[1, 2, 3] = Field(2, description="1 slightly, 2 clearly, 3 much better")
    all_bad: bool = False
    rationale: Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)] = ""

    @model_validator(mode="after")
    def _all_bad_has_no_winner(self) -> Self:
        if self.all_bad and self.winner is not None:
            raise ValueError("Either one response is better or all are bad, not both.")
        return self

    def check(self, texts: list[str]) -> list[str]:
        if self.winner is not None and self.winner >= len(texts):
            return [f"There is no response {self.winner + 1}: the task has {len(texts)}."]
        return []


class SetAside(_Answer):
    """Bad problem, give up, unsure: a reason, and the work done so far, kept but never trained on."""

    reason: Reason = ""
    partial: dict[str, Any] | None = None


def text_check(value: Any) -> None:
    """Refuse text that no database stores: NUL characters and halves of surrogate pairs, at any depth.

    Raises:
        PayloadInvalid: one sentence.
    """
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            waiting += part
        elif isinstance(part, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in part):
            raise PayloadInvalid(["The text holds a character that cannot be stored; type that place anew."])


def payload_clean(*, task: AnnotationTask, outcome: str, payload: Any, texts: list[str]) -> dict[str, Any]:
    """The answer, checked and normalised. ``texts``: the steps, or one entry per candidate.

    Raises:
        PayloadInvalid: with one sentence per fault.
    """
    text_check(payload)
    schema: type[_Answer] = SetAside
    if outcome == Annotation.Outcome.ANSWERED:
        schema = StepCritiqueAnswer if task.kind == TaskKind.STEP_CRITIQUE else PreferenceAnswer
    elif outcome not in Annotation.Outcome.values:
        known = ", ".join(Annotation.Outcome.values)
        raise PayloadInvalid([f"There is no outcome {outcome!r}; there are: {known}."])
    try:
        answer = schema.model_validate(payload)
    except ValidationError as error:
        raise PayloadInvalid([_sentence(fault) for fault in error.errors()]) from error
    if problems := answer.check(texts):
        raise PayloadInvalid(problems)
    return answer.model_dump(mode="json")


def _sentence(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ").rstrip(".")
    return f"{where}: {message}." if where else f"{message}."
