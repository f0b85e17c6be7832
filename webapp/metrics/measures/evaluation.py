"""Held-out: whether the challenger is better than the champion, and whether its answers show collapse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from django.db.models import F, Func, IntegerField
from django.utils.translation import gettext_noop as _noop

from loop.evaluate.collapse import distinct_parts, modal, repeats
from loop.evaluate.comparison import compare
from loop.evaluate.estimates import PromptSums
from loop.evaluate.metric import Metric, Value
from loop.evaluate.rates import wilson
from loop.prompts.tags import unanswerable
from loop.records import Split
from loop.stages import Stage
from loop.verify.math_answer import normalised
from webapp.iterations.models import Iteration
from webapp.metrics.evaluated import Sides, sides_of, trains_policy
from webapp.registry.models import EvaluationOutcome
from webapp.registry.selectors import outcome_rows, outcomes_by_prompt
from webapp.traces.selectors import prompt_records

GROUP = "Evaluation"
ORDER = 5

_OWN, _DISTINCT, _COLLAPSE = "Whetstone", "arXiv:1510.03055", "arXiv:2404.02305"
_REPEATS, _GATE = "arXiv:1908.04319", "McNemar 1947"
METRICS = (
    Metric("heldout_after", "Challenger, held-out", "share", "up", "right / prompts that both were scored on",
           _GATE),
    Metric("heldout_before", "Champion, held-out", "share", "up", "right / the same prompts", _GATE),
    Metric("heldout_gain", "Gain on held-out", "points", "up",
           "after - before, prompt by prompt; as the gate has it",
           _GATE),
    Metric("challenger_distinct_2", "Challenger's distinct-2", "ratio", "",
           "different pairs of words / pairs of words, of all held-out answers", _DISTINCT),
    Metric("champion_distinct_2", "Champion's distinct-2", "ratio", "",
           "different pairs of words / pairs of words, of all held-out answers", _DISTINCT),
    Metric("distinct_2_change", "Change of distinct-2", "points", "up", "challenger's - champion's",
           _COLLAPSE),
    Metric("repeated_4grams", "Repeated runs of four words", "share", "down",
           "4-grams that occurred before in the same answer / 4-grams, of the challenger", _REPEATS),
    Metric("repeated_4grams_change", "Change of repetition", "points", "down", "challenger's - champion's",
           _COLLAPSE),
    Metric("unreadable_change", "Change of unreadable answers", "points", "down",
           "share without a readable answer, challenger's - champion's", _OWN),
    Metric("challenger_tokens", "Tokens of an answer", "tokens", "",
           "mean over the challenger's held-out answers",
           _OWN),
    Metric("tokens_ratio", "Length to the champion's", "ratio", "",
           "mean tokens of the challenger / of the champion, on the same prompts", "arXiv:2310.03716"),
    Metric("answers_modal", "Answers that are one and the same", "share", "down",
           "held-out answers equal to the challenger's most frequent one / answers", _COLLAPSE),
)  # fmt: skip

CHUNK = 5000
COUNTED = ("kinds", "grams", "again", "fours")  # of each side: distinct-2's two parts, repetition's two
COLUMNS = (*(f"{name}_{side}" for name in COUNTED for side in ("old", "new")), "said", "modal")


class _Answer(NamedTuple):
    text: str
    answer: str | None
    tokens: int


def _measured(iteration: Iteration) -> Iterator[Value]:
    sides = sides_of(iteration, Split.HELDOUT.value)
    if sides is None:
        return
    yield from _accuracy(sides, picks=not trains_policy(iteration))
    if trains_policy(iteration):
        before, after = _answers(sides)
        both = sorted(before.keys() & after.keys())  # prompts that both answered
        if both:
            old, new = [before[pk] for pk in both], [after[pk] for pk in both]
            yield from _texts(iteration, both, old, new)
            yield from _readable(iteration, both, old, new)
            yield from _length(iteration, both, old, new)


def _accuracy(sides: Sides, *, picks: bool) -> Iterator[Value]:
    """What the gate reads, by its own functions: the same numbers. ``picks``: of what scorers pick."""
    found = compare(*(outcomes_by_prompt(outcome_rows(side)) for side in sides))
    detail: dict[str, Any] = {"picks": True} if picks else {}
    if found.before is None or found.after is None:
        detail |= {"reason": _noop("no prompt was scored on both sides")}
    for name, value in (("heldout_before", found.before), ("heldout_after", found.after)):
        ends = None if value is None else wilson(round(value * found.n), found.n)
        yield Value(name, value, ends, found.n, detail | ({} if ends is None else {"interval": "Wilson"}))
    told = {"p_value": found.p_value, "gained": len(found.gained), "lost": len(found.lost)}
    yield Value("heldout_gain", found.effect, found.ci95, found.n, detail | told)


def _answers(sides: Sides) -> tuple[dict[int, _Answer], dict[int, _Answer]]:
    found: dict[int, dict[int, _Answer]] = {side.pk: {} for side in sides}
    tokens = Func(F("response__token_ids"), function="cardinality", output_field=IntegerField())
    rows = EvaluationOutcome.objects.filter(evaluation__in=sides, response__isnull=False).order_by()
    columns = rows.values_list("evaluation_id", "prompt_id", "response__text", "response__answer", tokens)
    for side, prompt, *answer in columns.iterator(chunk_size=CHUNK):
        found[side][prompt] = _Answer(*answer)
    return found[sides[0].pk], found[sides[1].pk]


Answers = Sequence[_Answer]


def _texts(iteration: Iteration, prompts: list[int], old: Answers, new: Answers) -> Iterator[Value]:
    """Answers are in the order of ``prompts``, which are drawn; each n-gram's part of the whole stays with
    the answers it stands in."""
    sums = PromptSums(*COLUMNS, seed=iteration.seed)
    for which, answers in (("old", old), ("new", new)):
        kinds, grams = distinct_parts([a.text for a in answers])
        for prompt, own, every, answer in zip(prompts, kinds, grams, answers, strict=True):
            again, fours = repeats(answer.text)
            sums.add(prompt, {f"kinds_{which}": own, f"grams_{which}": every,
                              f"again_{which}": again, f"fours_{which}": fours})  # fmt: skip
    n, short = len(prompts), _noop("every answer is shorter than that")
    ratio: Callable[..., Any] = np.divide
    yield sums.value("challenger_distinct_2", ratio, "kinds_new", "grams_new", n=n, reason=short)
    yield sums.value("champion_distinct_2", ratio, "kinds_old", "grams_old", n=n, reason=short)
    pairs = ("kinds_new", "grams_new", "kinds_old", "grams_old")
    yield sums.value("distinct_2_change", _change, *pairs, n=n, reason=short)
    yield sums.value("repeated_4grams", ratio, "again_new", "fours_new", n=n, reason=short)
    runs = ("again_new", "fours_new", "again_old", "fours_old")
    yield sums.value("repeated_4grams_change", _change, *runs, n=n, reason=short)
    said = [None if a.answer is None else normalised(a.answer) for a in new]
    common = modal(said)
    for prompt, word in zip(prompts, said, strict=True):
        sums.add(prompt, {"said": word is not None, "modal": word is not None and word == common})
    silent = _noop("no answer can be read")
    yield sums.share("answers_modal", "modal", "said", detail={"answer": common}, reason=silent)


def _change(new: Any, every: Any, old: Any, all_old: Any) -> Any:
    return new / every - old / all_old


def _readable(iteration: Iteration, prompts: list[int], old: Answers, new: Answers) -> Iterator[Value]:
    """Of prompts that have no answer to give it is not asked, as the gate's guard does not."""
    sums = PromptSums("new", "old", "n", seed=iteration.seed)
    for prompt, before, after in zip(prompt_records(prompts), old, new, strict=True):
        if not unanswerable(prompt):
            sums.add(prompt.id, {"new": after.answer is None, "old": before.answer is None, "n": 1})
    if sums:
        detail = {"challenger": sums.total("new") / len(sums), "champion": sums.total("old") / len(sums)}
        yield sums.value("unreadable_change", lambda a, b, n: (a - b) / n, "new", "old", "n", detail=detail)


def _length(iteration: Iteration, prompts: list[int], old: Answers, new: Answers) -> Iterator[Value]:
    """Where the engine says how many tokens it wrote."""
    sums = PromptSums("new", "old", "n", seed=iteration.seed)
    for prompt, before, after in zip(prompts, old, new, strict=True):
        sums.add(prompt, {"new": after.tokens, "old": before.tokens, "n": 1})
    if sums.total("new") and sums.total("old"):
        yield sums.value("challenger_tokens", np.divide, "new", "n")
        detail = {"champion": sums.total("old") / len(sums)}
        yield sums.value("tokens_ratio", np.divide, "new", "old", n=len(sums), detail=detail)


MEASURES = {Stage.EVALUATE: _measured}
