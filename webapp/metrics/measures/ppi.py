"""Prediction-powered estimates: few labels by people and many judgements by a machine, without bias."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from uuid import UUID

import numpy as np
from django.utils.translation import gettext_noop as _noop

from loop.evaluate.metric import Metric, Value
from loop.evaluate.ppi import LEAST, ppi_mean
from loop.evaluate.rates import accuracy
from loop.records import Origin
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.metrics.said import critic_said, drawn_uniformly, people_said
from webapp.metrics.scored import SCORED, outcome
from webapp.traces.models import Response

GROUP = "Prediction-powered"
ORDER = 110

_FORMULA = "mean(people) + lambda (mean(machine, other prompts) - mean(machine, where people looked))"
_INTERVAL = "Student's t, over two units more that differ either way"
METRICS = (
    Metric("ppi_right", "Samples that are right, by people's standard", "share", "up",
           f"{_FORMULA}; machine: the checker, else the critic. Of samples drawn by chance alone."
           f" Interval: {_INTERVAL}",
           "arXiv:2311.01453", version=2),
    Metric("ppi_critic_right", "How often the critic's verdict is right", "share", "up",
           f"{_FORMULA}; of critiques; machine: the checker. Interval: {_INTERVAL}", "arXiv:2311.01453",
           version=2),
)  # fmt: skip

OPEN = 0.5  # what a machine that does not decide says: the estimate stays unbiased whatever it is
CHUNK = 5000

Says = Mapping[UUID, bool | None]  # response -> right, wrong, or undecided


def _measured(iteration: Iteration) -> Iterator[Value]:
    words = people_said(iteration)
    asked = drawn_uniformly(iteration) & words.keys()
    if not asked:
        return
    homes: dict[UUID, int] = {}
    checker: dict[UUID, bool | None] = {}
    samples = Response.objects.filter(iteration=iteration, origin=Origin.SAMPLE.value).order_by()
    for pk, prompt, *scored in samples.values_list("id", "prompt_id", *SCORED).iterator(chunk_size=CHUNK):
        homes[pk], checker[pk] = prompt, outcome(*scored)
    critic = {pk: said.right for pk, said in critic_said(iteration).items()}
    people = {pk: words[pk].right for pk in asked if pk in homes}
    checked = any(verdict is not None for verdict in checker.values())
    machine = checker if checked else critic
    if any(verdict is not None for verdict in machine.values()):
        yield _estimate("ppi_right", people, machine, homes, "checker" if checked else "critic")
    decided = {pk: right for pk, right in critic.items() if right is not None}
    if checked and decided:
        yield _estimate(
            "ppi_critic_right",
            {pk: _same(right, people[pk]) for pk, right in decided.items() if pk in people},
            {pk: _same(right, checker[pk]) for pk, right in decided.items()},
            {pk: homes[pk] for pk in decided},
            "checker",
        )


def _same(said: bool, truth: bool | None) -> bool | None:
    return None if truth is None else said == truth


def _estimate(name: str, people: Says, machine: Says, homes: Mapping[UUID, int], judge: str) -> Value:
    """Over the responses in ``homes``, which say of which prompt each is."""
    labels = {pk: float(right) for pk, right in people.items() if right is not None}
    looked = {homes[pk] for pk in labels}
    by_prompt: dict[int, list[float]] = defaultdict(list)
    for pk, prompt in homes.items():
        said = machine.get(pk)
        by_prompt[prompt].append(OPEN if said is None else float(said))
    rate = accuracy(bool(label) for label in labels.values())
    naive = [float(said) for said in machine.values() if said is not None]
    detail = {
        "naive": float(np.mean(naive)) if naive else None,
        "naive_n": len(naive),
        "people": rate.value,
        "people_ci": list(rate.ci95) if rate.ci95 else None,
        "people_n": rate.n,
        "judge": judge,
    }
    if len(labels) < LEAST:
        return Value(
            name, None, None, len(labels), detail | {"reason": _noop("people judged fewer than two of them")}
        )
    found = ppi_mean(
        list(labels.values()),
        [OPEN if (said := machine.get(pk)) is None else float(said) for pk in labels],
        [float(np.mean(said)) for prompt, said in by_prompt.items() if prompt not in looked],
    )
    low, high = found.ci95
    return Value(
        name,
        min(1.0, max(0.0, found.value)),
        (max(0.0, low), min(1.0, high)),
        found.n,
        detail | {"interval": "prediction-powered", "lambda": found.weight},
    )


MEASURES = {Stage.ANNOTATE: _measured}
