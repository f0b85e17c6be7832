"""Two model versions on the same prompts: pairs of evaluations, how often they differ, and both responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Count, OuterRef, QuerySet, Subquery

from loop.evaluate.paired import Bootstrap, McNemar, mcnemar, paired_bootstrap
from webapp.registry.models import Evaluation, EvaluationOutcome, ModelVersion
from webapp.registry.selectors import OUTCOME

# What may be shown: the verdicts (of the first version, of the second).
SHOWS = {
    "turned_right": ("wrong", "right"),
    "turned_wrong": ("right", "wrong"),
    "both_right": ("right", "right"),
    "both_wrong": ("wrong", "wrong"),
}
ALL = "all"


@dataclass(frozen=True, slots=True)
class Pair:
    """The same prompts, sampled alike, under both versions."""

    before: Evaluation
    after: Evaluation

    @property
    def shots(self) -> int:
        """Examples in the prompt: the gate's baseline without training, not a version by itself."""
        return len(self.after.sampling.get("shots") or ())


@dataclass(frozen=True, slots=True)
class Both:
    """One prompt's outcome under both versions."""

    after: EvaluationOutcome
    before: EvaluationOutcome


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each pair of verdicts came out. ``left_out``: prompts that one side has no verdict on."""

    shown: dict[str, int]
    left_out: int
    test: McNemar
    change: Bootstrap | None

    @property
    def paired(self) -> int:
        return sum(self.shown.values())


def pairs_of(before: ModelVersion, after: ModelVersion, split: str) -> list[Pair]:
    """Finished evaluations of both on exactly the same prompts and sampling; one query.

    The newest first, but those with examples in the prompt after all others.
    """
    done = Evaluation.objects.filter(model_version__in=(before, after), split=split, done=True).order_by(
        "-id"
    )
    rows = list(done)
    first = {e.prompts_sha: e for e in rows if e.model_version_id == before.pk}
    pairs = [
        Pair(first[e.prompts_sha], e)
        for e in rows
        if e.model_version_id == after.pk and e.prompts_sha in first
    ]
    return sorted(pairs, key=lambda pair: pair.shots > 0)


def outcomes_paired(pair: Pair) -> QuerySet[Any]:
    """The second version's outcomes, with the first's verdict on the same prompt as ``was``."""
    earlier = EvaluationOutcome.objects.filter(evaluation=pair.before, prompt=OuterRef("prompt"))
    rows = EvaluationOutcome.objects.filter(evaluation=pair.after)
    return rows.annotate(was=Subquery(earlier.values("verdict")[:1])).exclude(was=None)


def outcomes_shown(pair: Pair, show: str = ALL, text: str = "") -> QuerySet[EvaluationOutcome]:
    """Those with the verdicts that ``show`` names and ``text`` in the prompt, by prompt."""
    rows = outcomes_paired(pair)
    if show != ALL:
        was, now = SHOWS[show]
        rows = rows.filter(verdict=now, was=was)
    if text:
        rows = rows.filter(prompt__text__icontains=text)
    return rows.select_related("prompt", "response").order_by("prompt_id")


def both_page(
    pair: Pair, rows: QuerySet[EvaluationOutcome], number: str | int | None, per_page: int
) -> tuple[Page, list[Both]]:
    """One page of prompts with both outcomes: three queries whatever its length."""
    page = Paginator(rows, per_page).get_page(number)
    return page, both_of(pair, list(page.object_list))


def both_of(pair: Pair, outcomes: Sequence[EvaluationOutcome]) -> list[Both]:
    """Each of the second version's outcomes with the first's on the same prompt; one query."""
    earlier = EvaluationOutcome.objects.filter(
        evaluation=pair.before, prompt__in=[o.prompt_id for o in outcomes]
    )
    by_prompt = {outcome.prompt_id: outcome for outcome in earlier.select_related("response")}
    return [Both(after, by_prompt[after.prompt_id]) for after in outcomes]


def counts_of(pair: Pair) -> Counts:
    """All prompts of the pair counted, with McNemar's test and the interval of the change; one query."""
    rows = outcomes_paired(pair).order_by().values("verdict", "was").annotate(n=Count("id"))
    found = {(row["was"], row["verdict"]): row["n"] for row in rows}
    shown = {name: found.get(verdicts, 0) for name, verdicts in SHOWS.items()}
    was: list[bool] = []
    now: list[bool] = []
    for name, (before, after) in SHOWS.items():
        was += [OUTCOME[before]] * shown[name]
        now += [OUTCOME[after]] * shown[name]
    change = paired_bootstrap(was, now) if was else None
    return Counts(shown, sum(found.values()) - len(was), mcnemar(was, now), change)
