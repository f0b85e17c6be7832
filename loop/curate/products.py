"""One click, five products: what follows from one person's critique of one response.

1. a corrected trajectory, or, without a better step, the point to go back to and continue from
   (Tyen et al., 2024, arXiv:2311.08516: find the mistake, then backtrack);
2. step pairs on the shared prefix: better steps over worse ones;
3. a row that trains the critic;
4. labels per step for a process reward model (Lightman et al., 2023, arXiv:2305.20050), with the good
   prefix kept and the wrong passage masked;
5. a calibration point: what the model's critic said beside what the person said.

`products` derives them with their texts, `makes` counts the same from the marks alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import product as combinations
from typing import Any

from loop.curate.critiques import critique_rows
from loop.curate.material import Material, corrected_step, good_prefix, normalised
from loop.curate.trajectories import corrected_trajectories
from loop.dialects import Dialect
from loop.records import Critique, Mark, Prompt, Response, RowKind, Split, TrainRow, Verdict


class Product(StrEnum):
    TRAJECTORY = "trajectory"
    STEP_PAIR = "step_pair"
    CRITIC_ROW = "critic_row"
    STEP_LABELS = "step_labels"
    CALIBRATION = "calibration"


_ONE_AND_MANY = {
    Product.TRAJECTORY: ("correction", "corrections"),
    Product.STEP_PAIR: ("step pair", "step pairs"),
    Product.CRITIC_ROW: ("critic row", "critic rows"),
    Product.STEP_LABELS: ("step label", "step labels"),
    Product.CALIBRATION: ("calibration point", "calibration points"),
}
BACKTRACK = ("backtrack point", "backtrack points")


@dataclass(frozen=True, slots=True)
class Branch:
    """An alternative that the model wrote from ``step`` on, and what the person said of that step of it."""

    step: int
    response: Response
    mark: int | None = None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """One product. ``data`` is JSON; ``count`` is the number of labels for step labels, else 1."""

    product: Product
    data: Mapping[str, Any]
    sources: tuple[str, ...]  # ids of the critiques it rests on
    response_ids: tuple[str, ...]  # ids of the responses whose text it holds
    count: int = 1


@dataclass(frozen=True, slots=True)
class Count:
    product: Product
    count: int
    words: str


# ---- counting, without the texts ------------------------------------------------------------------------


def makes(
    marks: Sequence[int | None],
    first_error: int | None,
    corrections: Mapping[int, str],
    branches: Iterable[tuple[int, int | None, bool]] = (),
    model_critique_present: bool = False,
    *,
    verdict: str = "",
    trainable: bool = True,
) -> list[Count]:
    """How much `products` would derive from an answer, finished or not. What it makes none of is left out.

    ``branches`` are (step, mark, chosen). An empty ``verdict`` follows from the marks; ``trainable`` is
    false for held-out and probe prompts. Texts that turn out the same make fewer pairs than counted here.
    """
    branches = list(branches)
    counts: dict[Product, int] = {}
    words = dict(_ONE_AND_MANY)
    verdict = verdict or _verdict(marks, first_error)
    if trainable:
        if first_error is not None:
            counts[Product.TRAJECTORY] = 1
            chosen = any(step == first_error and picked for step, _, picked in branches)
            if not chosen and not corrections.get(first_error, "").strip():
                words[Product.TRAJECTORY] = BACKTRACK
        counts[Product.STEP_PAIR] = _pair_count(marks, first_error, corrections, branches)
        counts[Product.CRITIC_ROW] = int(_critic_row(marks, first_error, verdict))
        counts[Product.STEP_LABELS] = sum(mark is not None for mark in marks)
    counts[Product.CALIBRATION] = int(model_critique_present and _decided(first_error, verdict))
    return [
        Count(product, count, f"{count} {words[product][count != 1]}")
        for product, count in counts.items()
        if count
    ]


def line(counts: Iterable[Count]) -> str:
    """In one line: "1 correction · 2 step pairs · 1 critic row · 3 step labels"."""
    return " · ".join(count.words for count in counts)


def _verdict(marks: Sequence[int | None], first_error: int | None) -> str:
    if first_error is not None:
        return Verdict.WRONG.value
    return Verdict.UNKNOWN.value if None in marks else Verdict.RIGHT.value


def _decided(first_error: int | None, verdict: str) -> bool:
    return first_error is not None or Verdict(verdict).decided


def _critic_row(marks: Sequence[int | None], first_error: int | None, verdict: str) -> bool:
    """Whether the critic learns from it: every step up to the error is judged, and one is named or none is.

    That the whole is wrong, without saying where, is no lesson in finding errors.
    """
    judged = marks if first_error is None else marks[:first_error]
    return (first_error is not None or verdict == Verdict.RIGHT) and None not in judged


def _pair_count(
    marks: Sequence[int | None],
    first_error: int | None,
    corrections: Mapping[int, str],
    branches: Iterable[tuple[int, int | None, bool]],
) -> int:
    total = 0
    by_step: dict[int, list[tuple[int | None, bool]]] = {}
    for step, mark, chosen in branches:
        by_step.setdefault(step, []).append((mark, chosen))
    for step in _steps_in_play(marks, first_error):
        rated = by_step.get(step, [])
        better = sum(_is_better(mark, chosen) for mark, chosen in rated) + (marks[step] == Mark.GOOD)
        better += step == first_error and bool(corrections.get(step, "").strip())
        worse = sum(mark == Mark.WRONG for mark, _ in rated) + (step == first_error)
        total += better * worse
    return total


def _steps_in_play(marks: Sequence[int | None], first_error: int | None) -> range:
    """The steps with a prefix that nobody found wrong."""
    return range(len(marks) if first_error is None else first_error + 1)


def _is_better(mark: int | None, chosen: bool) -> bool:
    return chosen or mark == Mark.GOOD


# ---- deriving, with the texts ---------------------------------------------------------------------------


def products(
    prompt: Prompt,
    response: Response,
    critique: Critique,
    *,
    dialect: Dialect,
    model_critique: Critique | None = None,
    branches: Sequence[Branch] = (),
    spans: Mapping[int, Sequence[tuple[int, int]]] | None = None,
) -> list[Made]:
    """Everything that follows from a person's critique, in the order of `Product`.

    ``spans``: wrong passages by character within a step. Held-out and probe prompts give the calibration
    point alone: nothing of them is trained on.

    Raises:
        ValueError: the critique does not fit the response's steps.
    """
    if len(critique.marks) != len(response.steps):
        raise ValueError(f"{len(critique.marks)} marks do not fit {len(response.steps)} steps")
    made: list[Made] = []
    if prompt.split is Split.TRAIN:
        material = Material(prompt, (response,), judgements=(critique,))
        made += _trajectory(material, response, critique, dialect, branches)
        made += _pairs(prompt, response, critique, dialect, branches)
        if _critic_row(critique.marks, critique.first_error, critique.verdict):
            rows = [c.row for c in critique_rows([material], dialect=dialect) if c.kept]
            made += [_row_made(Product.CRITIC_ROW, row, critique, response) for row in rows if row]
        made += _labels(prompt, response, critique, spans or {})
    if model_critique is not None and model_critique.parsed:
        made += _calibration(response, critique, model_critique)
    return made


def _row_made(product: Product, row: TrainRow, critique: Critique, *responses: Response) -> Made:
    return Made(product, asdict(row), (critique.id,), tuple(r.id for r in responses))


def _trajectory(
    material: Material,
    response: Response,
    critique: Critique,
    dialect: Dialect,
    branches: Sequence[Branch],
) -> list[Made]:
    error = critique.first_error
    if error is None:
        return []
    for candidate in corrected_trajectories([material], dialect=dialect, accept="people"):
        if candidate.kept and candidate.row is not None:
            return [_row_made(Product.TRAJECTORY, candidate.row, critique, response)]
    prefix, messages = good_prefix(response, critique), dialect.solve(material.prompt)
    for branch in branches:
        if branch.step == error and branch.chosen and (step := _step_of(branch)):
            row = TrainRow(
                RowKind.TRAJECTORY, material.prompt.id, messages, step[0], prefix=prefix, ends=step[1]
            )
            return [_row_made(Product.TRAJECTORY, row, critique, response, branch.response)]
    data = {
        "kind": "backtrack",
        "prompt_id": material.prompt.id,
        "messages": [asdict(m) for m in messages],
        "prefix": prefix,
        "step": error,
    }
    return [Made(Product.TRAJECTORY, data, (critique.id,), (response.id,))]


def _step_of(branch: Branch) -> tuple[str, bool] | None:
    """(the alternative's first new step, whether it closes the turn); None where it wrote none."""
    steps = branch.response.steps
    if branch.step >= len(steps):
        return None
    last = branch.step == len(steps) - 1 and branch.response.finish == "stop"
    return steps[branch.step].text, last


def _pairs(
    prompt: Prompt, response: Response, critique: Critique, dialect: Dialect, branches: Sequence[Branch]
) -> list[Made]:
    found: list[Made] = []
    messages = dialect.solve(prompt)
    for index in _steps_in_play(critique.marks, critique.first_error):
        better, worse = _sides(response, critique, dialect, index, branches)
        seen: set[tuple[str, str]] = set()
        for (good, good_ends, a), (bad, bad_ends, b) in combinations(better, worse):
            key = normalised(good), normalised(bad)
            if key[0] == key[1] or key in seen:
                continue
            seen.add(key)
            row = TrainRow(
                RowKind.STEP_PAIR,
                prompt.id,
                messages,
                chosen=good,
                rejected=bad,
                prefix=response.text[: response.steps[index].start] if index else "",
                # One flag for both sides: only where both close the turn may the end token be learned.
                ends=good_ends and bad_ends,
            )
            found.append(_row_made(Product.STEP_PAIR, row, critique, response, *dict.fromkeys((a, b))))
    return found


Side = tuple[str, bool, Response]  # text, closes the turn, the response it stands in


def _sides(
    response: Response, critique: Critique, dialect: Dialect, index: int, branches: Sequence[Branch]
) -> tuple[list[Side], list[Side]]:
    last = index == len(response.steps) - 1 and response.finish == "stop"
    own: Side = (response.steps[index].text, last, response)
    better: list[Side] = []
    worse: list[Side] = []
    if index == critique.first_error:
        worse.append(own)
        if (step := corrected_step(response, critique)) is not None:
            closes = index == len(response.steps) - 1 and dialect.read_answer(step) is not None
            better.append((step, closes, response))
    elif critique.marks[index] == Mark.GOOD:
        better.append(own)
    for branch in branches:
        if branch.step != index or (step_there := _step_of(branch)) is None:
            continue
        side: Side = (*step_there, branch.response)
        if _is_better(branch.mark, branch.chosen):
            better.append(side)
        elif branch.mark == Mark.WRONG:
            worse.append(side)
    return better, worse


def _labels(
    prompt: Prompt, response: Response, critique: Critique, spans: Mapping[int, Sequence[tuple[int, int]]]
) -> list[Made]:
    count = sum(mark is not None for mark in critique.marks)
    if not count:
        return []
    error = critique.first_error
    end = len(response.steps) if error is None else error + 1
    data: dict[str, Any] = {
        "prompt_id": prompt.id,
        "messages": [asdict(m) for m in prompt.messages],
        "steps": [step.text for step in response.steps[:end]],
        "labels": [None if mark is None else int(mark) for mark in critique.marks[:end]],
    }
    if error is not None:
        wrong = response.steps[error]
        passages = spans.get(error) or [(0, wrong.end - wrong.start)]
        # Kept as a partly right solution: a trainer reads ``text`` and takes no loss where it is masked.
        data["text"] = response.text[: wrong.end]
        data["masked"] = [[wrong.start + start, wrong.start + stop] for start, stop in passages]
    return [Made(Product.STEP_LABELS, data, (critique.id,), (response.id,), count)]


def _calibration(response: Response, critique: Critique, model: Critique) -> list[Made]:
    if not _decided(critique.first_error, critique.verdict):
        return []
    both = [
        (a, b) for a, b in zip(model.marks, critique.marks, strict=False) if a is not None and b is not None
    ]
    data = {
        "response_id": response.id,
        "model": {"verdict": model.verdict.value, "first_error": model.first_error},
        "person": {"verdict": critique.verdict.value, "first_error": critique.first_error},
        "same_verdict": model.verdict is critique.verdict,
        "same_first_error": model.first_error == critique.first_error,
        "steps_both_judged": len(both),
        "steps_alike": sum(a == b for a, b in both),
    }
    return [Made(Product.CALIBRATION, data, (critique.id, model.id), (response.id,))]
