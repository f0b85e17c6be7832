"""PRM800K (Lightman et al., 2023, arXiv:2305.20050), both phases.

One row is one labeller's walk along a solution: at every step some completions, each rated -1, 0, 1 or null,
one of them chosen or a step written by hand, and the walk goes on from there. Read here, the *response* is
what was walked along: the chosen completion, else the hand-written one, else (where the walk ended) the
first. In phase 2 it is the whole pre-generated solution; what follows the end of the walk is unjudged.

``rating`` of the walked step is its mark. Null (the labeller's own step, or one passed over) stays null and
is listed under ``unsure``, so that it counts as seen. All other completions are ``meta["branches"]``:
``{step, completion, text, mark, flagged}``. The first -1 walked along is the first error; ratings after it
have no place in an answer and are kept in ``meta``.

``finish_reason``: found_error and solution are answers with and without a first error; bad_problem and
give_up are set aside with the work done so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loop.annotate.formats import _item
from loop.annotate.formats._item import Answer, FormatError, Outcome, TaskItem

_RATINGS = (-1, 0, 1, None)
_SET_ASIDE = (Outcome.BAD_PROBLEM, Outcome.GIVE_UP)
_WALKED = ("found_error", "solution")
_FINISHES = (*_WALKED, *_SET_ASIDE)
_FINAL = "# Answer\n\n"  # how the solutions state their result
_WHOLE = True  # in place of pre_generated_steps that are the response's own


def read(row: Mapping[str, Any]) -> TaskItem:
    """Raises FormatError, naming the key."""
    asked = _object(row, "question")
    messages, kept = _item.question(_item.text(asked, "problem", where="question."), "question.problem")
    reference = _item.text_or_none(asked, "ground_truth_answer", where="question.")
    generated: list[str] = []
    if asked.get("pre_generated_steps") is not None:
        generated = _item.texts(asked, "pre_generated_steps", where="question.")
    meta = {**_item.rest(row, ("question", "label")), **kept, "question": _item.rest(asked, ("problem",))}
    walk = _Walk(_object(row, "label"), generated) if row.get("label") is not None else None
    steps = [*walk.texts, *generated[len(walk.texts) :]] if walk else generated
    if not steps:
        raise FormatError(
            "label.steps", "is empty, and so is question.pre_generated_steps: there are no steps"
        )
    if steps == generated:
        meta["question"]["pre_generated_steps"] = _WHOLE
    if reference is not None:
        del meta["question"]["ground_truth_answer"]
    response, spans = _item.joined(steps)
    answer = None
    if walk:
        meta |= walk.meta()
        answer = walk.answer(len(steps), _verdict(steps, reference))
    return TaskItem(messages, response, spans, reference=reference, answer=answer, meta=meta)


def _object(row: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = row.get(key)
    if not isinstance(value, dict):
        raise FormatError(key, f"expected an object, found {_item.kind_of(value)}")
    return value


def _verdict(steps: Sequence[str], reference: str | None) -> str:
    """Right where the stated result is the reference, letter by letter; else nobody has said."""
    _, found, stated = steps[-1].rpartition(_FINAL)
    return "right" if found and reference is not None and stated.strip() == reference.strip() else "unknown"


class _Walk:
    """What one label says: the steps walked along with their ratings, and everything beside them."""

    def __init__(self, label: Mapping[str, Any], generated: Sequence[str]) -> None:
        self.finish = label.get("finish_reason")
        if self.finish not in _FINISHES:
            raise FormatError(
                "label.finish_reason", f"expected one of {', '.join(_FINISHES)}, found {self.finish!r}"
            )
        self.total = label.get("total_time")
        if type(self.total) not in (int, float, type(None)):
            raise FormatError("label.total_time", f"expected milliseconds, found {_item.kind_of(self.total)}")
        if not isinstance(label.get("steps"), list):
            raise FormatError("label.steps", f"expected a list, found {_item.kind_of(label.get('steps'))}")
        self.label = _item.rest(label, ("steps",))
        self.texts: list[str] = []
        self.ratings: list[int | None] = []
        self.shapes: list[dict[str, Any]] = []  # per step: which completion was walked along, and the rest
        self.branches: list[dict[str, Any]] = []
        for i, step in enumerate(label["steps"]):
            self._step(i, step, generated[i : i + 1])
        self.first = self.ratings.index(-1) if -1 in self.ratings else None
        self.seen = len(self.ratings) if self.first is None else self.first + 1

    def _step(self, i: int, step: Any, generated: Sequence[str]) -> None:
        where = f"label.steps[{i}]"
        if not isinstance(step, dict):
            raise FormatError(where, f"expected an object, found {_item.kind_of(step)}")
        completions = step.get("completions")
        shape = _item.rest(step, ("completions",) if completions is not None else ())
        completions = [] if completions is None else completions  # null: written by hand, never generated
        if not isinstance(completions, list) or not all(isinstance(c, dict) for c in completions):
            raise FormatError(f"{where}.completions", "expected a list of objects")
        shape["at"] = at = _walked(step, completions, generated, where)
        key = f"{where}.human_completion" if at is None else f"{where}.completions[{at}]"
        mine = step["human_completion"] if at is None else completions[at]
        self.texts.append(_item.text(mine, "text", where=f"{key}."))
        self.ratings.append(_rating(mine, key))
        if at is not None:
            shape["mine"] = _item.rest(mine, ("text", "rating"))
        self.shapes.append(shape)
        for j, other in enumerate(completions):
            if j != at:
                key = f"{where}.completions[{j}]"
                branch: dict[str, Any] = {"text": _item.text(other, "text", where=f"{key}.", blank=True)}
                branch |= {"mark": _rating(other, key), **_item.rest(other, ("text", "rating"))}
                self.branches.append({"step": i, "completion": j, **branch})

    def meta(self) -> dict[str, Any]:
        kept: dict[str, Any] = {"label": self.label, "steps": self.shapes, "branches": self.branches}
        return {**kept, "first_error": self.first, "later": self.ratings[self.seen :]}

    def answer(self, count: int, verdict: str) -> Answer:
        """Over all steps of the response: those nobody came to are unjudged."""
        seen = self.ratings[: self.seen]
        critique = {
            "marks": seen + [None] * (count - self.seen),
            "first_error": self.first,
            "unsure": [i for i, rating in enumerate(seen) if rating is None],
        }
        seconds = None if self.total is None else round(self.total / 1000, 2)
        if self.finish in _SET_ASIDE:
            return Answer({"reason": "", "partial": critique}, str(self.finish), seconds)
        return Answer({**critique, "verdict": verdict}, Outcome.ANSWERED, seconds)


def _walked(
    step: Mapping[str, Any], completions: Sequence[Any], generated: Sequence[str], where: str
) -> int | None:
    """The completion walked along: the chosen one; None for a hand-written one; else the first, where the
    walk ended (in phase 2 the one that was generated)."""
    chosen, human = step.get("chosen_completion"), step.get("human_completion")
    if chosen is not None:
        if type(chosen) is not int or not 0 <= chosen < len(completions):
            why = f"is {chosen!r} (from 0), but there are {len(completions)} completions"
            raise FormatError(f"{where}.chosen_completion", why)
        return chosen
    if human is not None:
        if not isinstance(human, dict):
            raise FormatError(
                f"{where}.human_completion", f"expected an object, found {_item.kind_of(human)}"
            )
        return None
    if not completions:
        raise FormatError(f"{where}.completions", "is empty, and no step was written by hand")
    said = [c.get("text") for c in completions]
    return said.index(generated[0]) if generated and generated[0] in said else 0


def _rating(completion: Mapping[str, Any], where: str) -> int | None:
    rating = completion.get("rating")
    if isinstance(rating, bool) or rating not in _RATINGS:
        raise FormatError(f"{where}.rating", f"expected -1, 0, 1 or null, found {rating!r}")
    return None if rating is None else int(rating)


# ------------------------------------------------------------------------------------------- writing
def write(item: TaskItem, answer: Answer | None) -> dict[str, Any]:
    """Raises FormatError for an answer set aside as unsure: PRM800K has no word for it."""
    meta = dict(item.meta)
    kept = {key: meta.pop(key, None) for key in ("label", "steps", "branches", "first_error", "later")}
    asked = {"problem": meta.pop("question.problem", item.prompt), **meta.pop("question", {})}
    if asked.get("pre_generated_steps") is _WHOLE:
        asked["pre_generated_steps"] = list(item.steps)
    if item.reference is not None:
        asked["ground_truth_answer"] = item.reference
    row: dict[str, Any] = {**meta, "question": asked}
    if answer is None:
        asked.setdefault("pre_generated_steps", list(item.steps))  # else an unjudged row would have no steps
        return row
    if answer.outcome == Outcome.UNSURE:
        raise FormatError("label.finish_reason", "PRM800K has no word for an answer set aside as 'unsure'")
    first = answer.critique.get("first_error")
    as_read = kept["steps"] is not None and kept["first_error"] == first
    label = dict(kept["label"] or {})
    if answer.outcome in _SET_ASIDE:
        label["finish_reason"] = str(answer.outcome)
    elif not (as_read and label.get("finish_reason") in _WALKED):
        label["finish_reason"] = "solution" if first is None else "found_error"
    total = label.get("total_time")
    if answer.seconds is not None and (total is None or answer.seconds != round(total / 1000, 2)):
        label["total_time"] = round(answer.seconds * 1000)
    later = (kept["later"] or []) if as_read else []
    row["label"] = {"steps": _steps(item, answer.critique, kept, later), **label}
    return row


def _steps(
    item: TaskItem, said: Mapping[str, Any], kept: Mapping[str, Any], later: Sequence[int | None]
) -> list[dict[str, Any]]:
    """The label's steps as far as somebody walked: to the first error, else to the last step judged."""
    marks, first = list(said.get("marks") or []), said.get("first_error")
    shapes = kept["steps"] or []
    unsure = said.get("unsure") or []
    if first is not None:
        count = first + 1 + len(later)
        marks[first + 1 : count] = later
    else:
        judged = [i + 1 for i, mark in enumerate(marks) if mark is not None or i in unsure]
        count = max([len(shapes), *judged])
    marks += [None] * (count - len(marks))
    return [
        _step(
            {"text": item.steps[i], "rating": marks[i]},
            shapes[i] if i < len(shapes) else _new_shape(ended=i == first),
            [b for b in kept["branches"] or [] if b["step"] == i],
            [b for b in said.get("branches") or [] if b["step"] == i and "text" in b],
        )
        for i in range(count)
    ]


def _new_shape(*, ended: bool) -> dict[str, Any]:
    walked = {"human_completion": None, "chosen_completion": None if ended else 0}
    return {"at": 0, "mine": {"flagged": None}, **walked}


def _step(
    mine: dict[str, Any],
    shape: Mapping[str, Any],
    branches: Sequence[Mapping[str, Any]],
    new: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    completions = [
        {"text": b["text"], "rating": b["mark"], **_item.rest(b, ("step", "completion", "text", "mark"))}
        for b in branches
    ]
    step = _item.rest(shape, ("at", "mine"))
    if shape["at"] is None:
        step["human_completion"] = {**step["human_completion"], **mine}
    else:
        completions.insert(shape["at"], {**mine, **shape["mine"]})
    for branch in new:
        if branch.get("chosen"):
            step["chosen_completion"] = len(completions)
        completions.append({"text": branch["text"], "rating": branch.get("mark"), "flagged": None})
    if completions or "completions" not in step:
        step["completions"] = completions
    return step
