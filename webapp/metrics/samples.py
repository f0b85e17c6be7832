"""An iteration's samples, read from the database into columns once for all groups that measure them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import F, FloatField, Func, IntegerField, Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import NullIf

from loop.evaluate.resample import Resamples
from loop.evaluate.samples import NO_ANSWER, Bools, Floats, Ints, Samples
from loop.finetune.objectives import SCORER_ROLES
from loop.records import Origin, RowKind, Verdict
from loop.verify.math_answer import normalised
from webapp.curate.models import Example
from webapp.iterations.models import Iteration
from webapp.metrics.scope import once
from webapp.traces.models import Response, Score
from webapp.traces.services import VERIFIER

ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Sampled:
    """``samples`` and whose they are: of each prompt and each sample its primary key, in their order."""

    samples: Samples
    prompt_ids: Ints
    response_ids: list[UUID]


@once
def sampled_of(iteration: Iteration) -> Sampled | None:
    """What the model wrote from the start in this iteration; None: nothing, as in every control arm."""
    rows = list(_responses(iteration))
    if not rows:
        return None
    prompt_of, ids, texts, answers, verdicts, finishes, tokens, logprobs, checkable = zip(*rows, strict=True)
    prompt_ids, prompt = np.unique(np.array(prompt_of, dtype=np.int64), return_inverse=True)
    right = _right(verdicts, answers, checkable)
    values, verdicts_of = _scores(iteration, ids)
    samples = Samples(
        prompts=len(prompt_ids),
        prompt=prompt,
        right=right,
        answer=_numbered(answers),
        cut=np.array([finish == "length" for finish in finishes]),
        tokens=_floats(tokens),
        logprob=_floats(logprobs),
        accepted=_accepted(iteration, right, values, verdicts_of),
        scores=values,
        passed=verdicts_of,
        texts=texts,
    )
    return Sampled(samples, prompt_ids, list(ids))


@once
def draws_of(iteration: Iteration) -> Resamples:
    """The resamples of the iteration's prompts.

    Raises:
        ValueError: it has no samples.
    """
    sampled = sampled_of(iteration)
    return Resamples(sampled.samples.prompts if sampled else 0, seed=iteration.seed)


def _responses(iteration: Iteration) -> Iterable[tuple[Any, ...]]:
    """(prompt, id, text, answer, verdict, finish, tokens, mean log-probability, whether it can be checked).

    Token ids and log-probabilities are most of a row and stay in the database.
    """
    checked = ~Q(prompt__verifier="") & Q(prompt__reference__gt="")
    return (
        Response.objects.filter(iteration=iteration, origin=Origin.SAMPLE.value)
        .annotate(
            tokens=NullIf(Func(F("token_ids"), function="cardinality", output_field=IntegerField()), 0),
            logprob=RawSQL(
                "(SELECT avg(x) FROM unnest(traces_response.logprobs) AS x)", (), output_field=FloatField()
            ),
            checkable=checked,
        )
        .values_list(
            *("prompt_id", "pk", "text", "answer", "verdict", "finish", "tokens", "logprob", "checkable")
        )
        .iterator(chunk_size=ROWS_AT_ONCE)
    )


def _right(verdicts: Iterable[str], answers: Iterable[str | None], checkable: Iterable[bool]) -> Floats:
    """As `loop.evaluate.outcome_of`: silence is wrong, where speaking could have been right."""
    outcome = {Verdict.RIGHT.value: 1.0, Verdict.WRONG.value: 0.0}
    silent = Verdict.UNKNOWN.value
    return np.array(
        [
            0.0 if verdict == silent and answer is None and can else outcome.get(verdict, np.nan)
            for verdict, answer, can in zip(verdicts, answers, checkable, strict=True)
        ]
    )


def _numbered(answers: Iterable[str | None]) -> Ints:
    """Answers as numbers, equal after normalising alike."""
    number: dict[str, int] = {}
    known: dict[str | None, int] = {None: NO_ANSWER}
    codes = []
    for answer in answers:
        if (code := known.get(answer)) is None:
            plain = normalised(answer or "")
            code = known[answer] = number.setdefault(plain, len(number)) if plain else NO_ANSWER
        codes.append(code)
    return np.array(codes, dtype=np.int64)


def _floats(values: Iterable[float | None]) -> Floats:
    """As numbers; nan for what is none."""
    found = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.where(np.isfinite(found), found, np.nan)


def _scores(iteration: Iteration, ids: Iterable[UUID]) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """What was scored besides the checker: (numbers, verdicts) by name."""
    place = {pk: i for i, pk in enumerate(ids)}
    values: defaultdict[str, Floats] = defaultdict(lambda: np.full(len(place), np.nan))
    verdicts: defaultdict[str, Floats] = defaultdict(lambda: np.full(len(place), np.nan))
    rows = Score.objects.filter(response__iteration=iteration, response__origin=Origin.SAMPLE.value)
    said_of = rows.exclude(name=VERIFIER).values_list("response_id", "name", "value", "verdict")
    outcome = {Verdict.RIGHT.value: 1.0, Verdict.WRONG.value: 0.0}
    for response_id, name, value, verdict in said_of.iterator(chunk_size=ROWS_AT_ONCE):
        said = outcome.get(verdict)
        if (i := place.get(response_id)) is None:
            continue  # written since
        if said is not None:
            verdicts[name][i] = said
        number = said if value is None else value
        if number is not None and isfinite(number):
            values[name][i] = number
    return dict(sorted(values.items())), dict(verdicts)


def _accepted(
    iteration: Iteration, right: Floats, values: dict[str, Floats], verdicts: dict[str, Floats]
) -> Bools:
    """What the recipe would keep if nobody looked; where people alone accept, the checker stands in."""
    part = iteration.recipe.get("curate", {})
    accept = part.get("accept", "verifier")
    if accept == "self_verdict":
        return np.asarray(verdicts.get("self_verdict", np.full(len(right), np.nan)) == 1)
    if accept == "scorer":
        given = next((values[role] for role in reversed(SCORER_ROLES) if role in values), None)
        return np.asarray(
            (given if given is not None else np.full(len(right), np.nan)) >= part.get("threshold", 0.5)
        )
    return np.asarray(right == 1)


# Rows whose response is what the model learns to say; of an outcome row only if it was called right.
LEARNED = Q(kind__in=[RowKind.SAMPLE.value, RowKind.PREFERENCE.value]) | Q(
    kind=RowKind.OUTCOME.value, row__label=True
)


def kept_of(iteration: Iteration) -> Bools | None:
    """Which samples the iteration's dataset teaches, in `sampled_of`'s order; None: none of its rows is made
    of whole samples, or there is no dataset."""
    sampled, dataset = sampled_of(iteration), iteration.dataset_version
    if sampled is None or dataset is None or not _made_of_samples(iteration):
        return None
    examples = Example.objects.filter(LEARNED, iteration=iteration, response__isnull=False)
    frozen = set(dataset.example_ids)
    taught = {response for pk, response in examples.values_list("pk", "response_id") if pk in frozen}
    return np.fromiter((pk in taught for pk in sampled.response_ids), bool, len(sampled.response_ids))


def _made_of_samples(iteration: Iteration) -> bool:
    """Whether the recipe asks for such rows; a recipe from before rows were named trains samples."""
    rows = iteration.recipe.get("curate", {}).get("rows", [RowKind.SAMPLE.value])
    return bool({RowKind.SAMPLE.value, RowKind.PREFERENCE.value, RowKind.OUTCOME.value} & set(rows))
