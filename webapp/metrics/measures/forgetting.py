"""The probe prompts, which never change: what the challenger can do of them that others before it could."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext_noop as _noop

from loop.evaluate.comparison import Outcomes, compare
from loop.evaluate.forgetting import forgetting
from loop.evaluate.metric import Metric, Value
from loop.evaluate.rates import wilson
from loop.records import Split
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.metrics.evaluated import Sides, sides_of
from webapp.registry.models import Evaluation, EvaluationOutcome, ModelVersion
from webapp.registry.selectors import OUTCOME, outcome_rows, outcomes_by_prompt

GROUP = "Forgetting"
ORDER = 8

_SURVEY = "arXiv:2302.00487"
METRICS = (
    Metric("probe_after", "Challenger, probe prompts", "share", "up",
           "right / prompts that both were scored on",
           _SURVEY),
    Metric("probe_gain", "Change on the probe prompts", "points", "up",
           "challenger - champion, prompt by prompt",
           _SURVEY),
    Metric("forgetting", "Below the best earlier model", "points", "down",
           "F = max over earlier champions and the base of accuracy on the same probe prompts - accuracy now."
           " Interval: of all these differences together",
           _SURVEY, version=2),
    Metric("forgotten", "Solved earlier, wrong now", "share", "down",
           "probe prompts wrong now / probe prompts that the base or a champion had right", _SURVEY),
)  # fmt: skip

LISTED = 100  # prompts in the detail
CHUNK = 5000


def _measured(iteration: Iteration) -> Iterator[Value]:
    sides = sides_of(iteration, Split.PROBE.value)
    if sides is None:
        return
    before, now = (outcomes_by_prompt(outcome_rows(side)) for side in sides)
    found = compare(before, now)
    if found.after is None:
        yield Value("probe_after", None, detail={"reason": _noop("no prompt was scored on both sides")})
        return
    yield Value("probe_after", found.after, wilson(round(found.after * found.n), found.n), found.n,
                {"interval": "Wilson", "before": found.before})  # fmt: skip
    yield Value("probe_gain", found.effect, found.ci95, found.n, {"p_value": found.p_value})
    yield from _forgetting(iteration, _earlier(iteration, sides), now)


def _forgetting(iteration: Iteration, earlier: Mapping[str, Outcomes], now: Outcomes) -> Iterator[Value]:
    found = forgetting(earlier, now, seed=iteration.seed)
    if found is None:
        return
    yield Value("forgetting", found.value, found.ci95, found.n,
                {"best": found.best, "models": dict(found.accuracies)})  # fmt: skip
    if solved := len(found.solved):
        lost = len(found.lost)
        detail: dict[str, Any] = {"interval": "Wilson", "prompts": [int(pk) for pk in found.lost[:LISTED]]}
        yield Value("forgotten", lost / solved, wilson(lost, solved), solved, detail)


def _earlier(iteration: Iteration, sides: Sides) -> Mapping[str, Outcomes]:
    """What the base and every champion up to this one said, by name, oldest first; the newest evaluation of
    each in which they answered as these two did."""
    assert iteration.champion is not None
    champion, after = iteration.champion, sides[1]
    versions = iteration.project.model_versions.filter(role=champion.role, number__lte=champion.number)
    was_in_use = versions.filter(status__in=[ModelVersion.Status.RETIRED, ModelVersion.Status.CHAMPION])
    of = was_in_use | versions.filter(adapter_path="") | versions.filter(pk=champion.pk)
    measured = Evaluation.objects.filter(
        model_version__in=of, split=Split.PROBE.value, done=True, sampling=after.sampling
    )
    newest = {
        version: (name, pk)
        for version, name, pk in measured.order_by("model_version__number", "id").values_list(
            "model_version_id", "model_version__name", "id"
        )
    }
    names = {pk: name for name, pk in newest.values()}
    outcomes: dict[str, dict[str, bool | None]] = {name: {} for name in names.values()}
    rows = EvaluationOutcome.objects.filter(evaluation__in=names).order_by()
    for pk, prompt, verdict in rows.values_list("evaluation_id", "prompt_id", "verdict").iterator(
        chunk_size=CHUNK
    ):
        outcomes[names[pk]][str(prompt)] = OUTCOME.get(verdict)
    return outcomes


MEASURES = {Stage.EVALUATE: _measured}
