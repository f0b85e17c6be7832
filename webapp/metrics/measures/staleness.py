"""How old the rows of a dataset are, and how many of them rest on people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_noop as _noop

from loop.curate.staleness import age_name
from loop.evaluate.estimates import PromptSums
from loop.evaluate.metric import Metric, Value
from loop.stages import Stage
from webapp.curate.composing import ages_of
from webapp.curate.models import Example, Writer
from webapp.iterations.models import Iteration

GROUP = "Staleness"
ORDER = 60

_OWN = "Whetstone"
METRICS = (
    Metric("row_age", "Age of a row", "count", "down",
           "mean number of champions since the one that wrote it; 0: the one in use. Without rows by people",
           _OWN),
    Metric("stale_share", "Rows two champions old or older", "share", "down",
           "rows of age 2 and more / rows of known age", _OWN),
    Metric("replay_share", "Replayed rows", "share", "", "rows of earlier iterations / rows",
           "arXiv:2404.01413"),
    Metric("people_share", "Rows that rest on people", "share", "",
           "rows that people wrote, accepted or judged / rows", _OWN),
)  # fmt: skip

STALE = 2
AT_ONCE = 20_000


def _measured(iteration: Iteration) -> Iterator[Value]:
    dataset = iteration.dataset_version
    if dataset is None or not dataset.example_ids:
        return
    ages = ages_of(iteration.project, iteration.champion_id)
    sums = PromptSums("rows", "people", "replayed", "aged", "age", "stale", seed=iteration.seed)
    names: Counter[str] = Counter()
    for prompt, writer, version, home, by_people in _rows(dataset.example_ids):
        person = writer == Writer.PERSON
        age = None if person or version is None else ages.get(version)
        names[age_name(age, by_person=person)] += 1
        counts = {"rows": 1, "people": by_people, "replayed": home != iteration.pk}
        if age is not None:
            counts |= {"aged": 1, "age": age, "stale": age >= STALE}
        sums.add(prompt, counts)
    if not sums:
        return
    unknown = _noop("no row is of a known age")
    yield sums.value("row_age", np.divide, "age", "aged", detail={"ages": dict(names)}, reason=unknown)
    yield sums.share("stale_share", "stale", "aged", reason=unknown)
    rows = sums.total("rows")
    yield Value("replay_share", sums.total("replayed") / rows, n=rows)
    yield sums.share("people_share", "people", "rows")


def _rows(ids: list[int]) -> Iterator[tuple[int, str, int | None, int | None, bool]]:
    """(prompt, writer, model version, iteration, whether it rests on people) of each example."""
    answered = Exists(Example.annotations.through.objects.filter(example=OuterRef("pk")))
    people = Q(accepted_by="people") | Q(writer=Writer.PERSON) | answered
    for start in range(0, len(ids), AT_ONCE):
        rows = Example.objects.filter(pk__in=ids[start : start + AT_ONCE]).order_by()
        yield from rows.annotate(by_people=people).values_list(
            "prompt_id", "writer", "model_version_id", "iteration_id", "by_people"
        )


MEASURES = {Stage.CURATE: _measured}
