"""One click, five products: what follows from one person's critique of one response.

1. corrected trajectories, or, without a better step, the point to go back to and continue from
   (Tyen et al., 2024, arXiv:2311.08516: find the mistake, then backtrack);
2. step pairs on a shared prefix: better steps over worse ones;
3. a row that trains the critic;
4. labels per step for a process reward model (Lightman et al., 2023, arXiv:2305.20050), with the good
   prefix kept and the wrong passage masked;
5. a calibration point: what the model's critic said beside what the person said.

`products` derives them with their texts, by the same functions as curation; `makes` counts them from the
marks alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from loop.curate.critiques import critique_rows
from loop.curate.material import Candidate, Material, good_prefix
from loop.curate.pairs import step_pairs
from loop.curate.trajectories import corrected_trajectories
from loop.dialects import Dialect
from loop.records import Critique, Mark, Prompt, Response, Split, Verdict

MANY = 1000  # rows of one kind from one answer: no limit as curation has one


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
class Made:
    """One product. ``data`` is JSON; ``count`` is the number of labels for step labels, else 1."""

    product: Product
    data: Mapping[str, Any]
    sources: tuple[str, ...]  # ids of the critiques it rests on
    response_id: str  # whose text is trained or measured: the response, or the alternative that it became
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
    false for held-out and probe prompts. The texts may make fewer of it: of two that are the same, of an
    alternative that was cut off, or that goes on from the wrong step.
    """
    branches = list(branches)
    counts: dict[Product, int] = {}
    words = dict(_ONE_AND_MANY)
    verdict = verdict or _verdict(marks, first_error)
    if trainable:
        corrected = first_error is not None and bool(corrections.get(first_error, "").strip())
        if not _decided(first_error, verdict):
            branches = []  # curation takes no word from whoever was not sure of the whole
        liked = sum(
            _good(mark, chosen) for step, mark, chosen in branches if _follows(step, first_error, corrected)
        )
        counts[Product.TRAJECTORY] = liked or int(first_error is not None)
        if not liked and not corrected:
            words[Product.TRAJECTORY] = BACKTRACK
        counts[Product.STEP_PAIR] = _pair_count(marks, first_error, corrected, branches)
        counts[Product.CRITIC_ROW] = int(_critic_row(marks, first_error, verdict))
        counts[Product.STEP_LABELS] = sum(mark is not None for mark in marks)
    counts[Product.CALIBRATION] = int(model_critique_present and _decided(first_error, verdict))
    return _worded(counts, words)


def tally(made: Iterable[Made]) -> list[Count]:
    """The same of what was derived."""
    counts: dict[Product, int] = dict.fromkeys(Product, 0)
    words = dict(_ONE_AND_MANY)
    for one in made:
        counts[one.product] += one.count
        if one.data.get("kind") == "backtrack":
            words[Product.TRAJECTORY] = BACKTRACK
    return _worded(counts, words)


def _worded(counts: Mapping[Product, int], words: Mapping[Product, tuple[str, str]]) -> list[Count]:
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
    corrected: bool,
    branches: Iterable[tuple[int, int | None, bool]],
) -> int:
    """Better times worse steps after each prefix that nobody found wrong."""
    total = 0
    rated = list(branches)
    for step, own in enumerate(marks):
        if not _follows(step, first_error, corrected):
            break
        here = [(mark, chosen) for at, mark, chosen in rated if at == step]
        better = sum(_good(mark, chosen) for mark, chosen in here) + (own == Mark.GOOD)
        better += step == first_error and corrected
        worse = sum(mark == Mark.WRONG for mark, _ in here) + (step == first_error)
        total += better * worse
    return total


def _follows(step: int, first_error: int | None, corrected: bool) -> bool:
    """Whether what stands at the step follows a prefix without error; past the error the model was asked to
    go on from its correction."""
    return first_error is None or step <= first_error or corrected


def _good(mark: int | None, chosen: bool) -> bool:
    return chosen or mark == Mark.GOOD


# ---- deriving, with the texts ---------------------------------------------------------------------------


def products(
    prompt: Prompt,
    response: Response,
    critique: Critique,
    *,
    dialect: Dialect,
    model_critique: Critique | None = None,
    alternatives: Sequence[Response] = (),
    spans: Mapping[int, Sequence[Sequence[int]]] | None = None,
) -> list[Made]:
    """Everything that follows from a person's critique, in the order of `Product`.

    ``alternatives``: the responses that the critique's branches speak of. ``spans``: wrong passages by
    character within a step. Held-out and probe prompts give the calibration point alone: nothing of them
    is trained on.

    Raises:
        ValueError: the critique does not fit the response's steps.
    """
    if len(critique.marks) != len(response.steps):
        raise ValueError(f"{len(critique.marks)} marks do not fit {len(response.steps)} steps")
    made: list[Made] = []
    if prompt.split is Split.TRAIN:
        material = Material(prompt, (response, *alternatives), judgements=(critique,))
        made += _trajectories(material, response, critique, dialect)
        pairs = step_pairs([material], dialect=dialect, accept="people", max_per_prompt=MANY)
        made += [_row(Product.STEP_PAIR, c, critique) for c in pairs if c.kept]
        if _critic_row(critique.marks, critique.first_error, critique.verdict):
            rows = critique_rows([material], dialect=dialect)
            made += [_row(Product.CRITIC_ROW, c, critique) for c in rows if c.kept]
        made += _labels(prompt, response, critique, spans or {})
    if model_critique is not None and model_critique.parsed:
        made += _calibration(response, critique, model_critique)
    return made


def _row(product: Product, candidate: Candidate, critique: Critique) -> Made:
    assert candidate.row is not None
    return Made(product, asdict(candidate.row), (critique.id,), candidate.response_id or critique.response_id)


def _trajectories(material: Material, response: Response, critique: Critique, dialect: Dialect) -> list[Made]:
    found = corrected_trajectories([material], dialect=dialect, accept="people", max_per_prompt=MANY)
    if kept := [_row(Product.TRAJECTORY, c, critique) for c in found if c.kept]:
        return kept
    if critique.first_error is None:
        return []
    data = {
        "kind": "backtrack",
        "prompt_id": material.prompt.id,
        "messages": [asdict(m) for m in dialect.solve(material.prompt)],
        "prefix": good_prefix(response, critique),
        "step": critique.first_error,
    }
    return [Made(Product.TRAJECTORY, data, (critique.id,), response.id)]


def _labels(
    prompt: Prompt, response: Response, critique: Critique, spans: Mapping[int, Sequence[Sequence[int]]]
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
    return [Made(Product.STEP_LABELS, data, (critique.id,), response.id, count)]


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
    return [Made(Product.CALIBRATION, data, (critique.id, model.id), response.id)]
