"""Self-correction: what rewriting did to right and wrong drafts, and what the words of critiques did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_noop as _noop

from loop.evaluate import refinement as formulas
from loop.evaluate.estimates import PromptSums
from loop.evaluate.metric import Metric, Value
from loop.records import CONTENT_FREE, Origin
from loop.stages import Stage
from webapp.iterations.models import Iteration
from webapp.metrics.scored import SCORED, outcome
from webapp.traces.models import Response, Score

GROUP = "Self-correction"
ORDER = 70

_DECOMPOSED = "arXiv:2412.19513"
_SCORE = "arXiv:2409.12917"
METRICS = (
    Metric("acc_1", "Right at first", "share", "up", "Acc1 = right drafts / drafts scored both times",
           _SCORE),
    Metric("acc_2", "Right after rewriting", "share", "up", "Acc2 = right final versions / the same drafts",
           _SCORE),
    Metric("correction_delta", "Gain of rewriting", "points", "up", "Acc2 - Acc1", _SCORE),
    Metric("wrong_to_right", "Wrong turned right", "share", "up", "wrong before and right after / drafts",
           _SCORE),
    Metric("right_to_wrong", "Right turned wrong", "share", "down", "right before and wrong after / drafts",
           _SCORE),
    Metric("correction_cl", "Right kept right", "share", "up", "CL = right before and after / right before",
           _DECOMPOSED),
    Metric("correction_cs", "Wrong put right", "share", "up", "CS = wrong before, right after / wrong before;"
           " Acc2 = Acc1 CL + (1 - Acc1) CS", _DECOMPOSED),
    Metric("correction_rss", "Self-correction relative to its bounds", "score", "up",
           "RSS = (Acc2 - Acc1²) / (2 Acc1 (1 - Acc1))", _DECOMPOSED),
    Metric("edit_ratio", "How much a rewrite changes", "share", "",
           "mean of edit distance in words / words of the longer version", _SCORE),
    Metric("edit_unchanged", "Rewrites that change nothing", "share", "down",
           "rewrites equal to their draft / rewrites", _SCORE),
    Metric("content_effect", "What the critique's words are worth", "points", "up",
           "Acc2(after the critique) - Acc2(after empty words), on the same drafts at as many calls",
           "arXiv:2310.12397"),
)  # fmt: skip

CELLS = ("wr", "rw", "rr", "ww")
_CELL = {(False, True): "wr", (True, False): "rw", (True, True): "rr", (False, False): "ww"}
CHUNK = 5000
MOST_COMPARED = 10_000  # rewrites, text against text; ids are hashes, so the first ones are a draw


def _measured(iteration: Iteration) -> Iterator[Value]:
    """Nothing of an iteration whose method does not rewrite."""
    controls = Exists(Score.objects.filter(response=OuterRef("pk"), name=CONTENT_FREE))
    rewrites = Response.objects.filter(iteration=iteration, origin=Origin.REFINEMENT.value).annotate(
        control=controls
    )
    if not rewrites.exists():
        return
    after: dict[UUID, tuple[UUID, bool | None]] = {}  # draft -> its rewrite
    without: list[tuple[UUID, int, bool | None]] = []  # (draft, prompt, outcome) of controls
    rows = rewrites.order_by("created_at", "id").values_list(
        "id", "parent_id", "prompt_id", "control", *SCORED
    )
    for pk, parent, prompt, control, *scored in rows.iterator(chunk_size=CHUNK):
        if control:
            without.append((parent, prompt, outcome(*scored)))
        else:
            after[parent] = pk, outcome(*scored)
    yield from _matrix(iteration, after)
    yield from _edits(iteration, rewrites.filter(control=False))
    if without:
        yield _content_effect(iteration, after, without)


def _matrix(iteration: Iteration, after: dict[UUID, tuple[UUID, bool | None]]) -> Iterable[Value]:
    """Drafts that were not rewritten stand as they are: their final version is themselves."""
    sums = PromptSums(*CELLS, "n", "first", "last", seed=iteration.seed)
    drafts = Response.objects.filter(iteration=iteration, origin=Origin.SAMPLE.value)
    unscored = rewritten = 0
    for pk, prompt, *scored in drafts.values_list("id", "prompt_id", *SCORED).iterator(chunk_size=CHUNK):
        before = last = outcome(*scored)
        rewritten += pk in after
        version = pk
        while version in after:
            version, last = after[version]
        if before is None or last is None:
            unscored += 1
        else:
            sums.add(prompt, {_CELL[before, last]: 1, "n": 1, "first": before, "last": last})
    facts = {"rewritten": rewritten, "unscored": unscored}
    if not sums:
        return []
    n = sums.total("n")
    return [
        sums.share("acc_1", "first", "n", detail=facts),
        sums.share("acc_2", "last", "n", detail=facts),
        sums.value("correction_delta", formulas.delta, *CELLS, n=n, detail=facts),
        sums.share("wrong_to_right", "wr", "n"),
        sums.share("right_to_wrong", "rw", "n"),
        sums.value(
            "correction_cl",
            formulas.confidence_level,
            *CELLS,
            n=sums.total("first"),
            reason=_noop("no draft was right"),
        ),
        sums.value(
            "correction_cs",
            formulas.critique_score,
            *CELLS,
            n=n - sums.total("first"),
            reason=_noop("no draft was wrong"),
        ),
        sums.value(
            "correction_rss",
            formulas.relative_self_correction,
            *CELLS,
            n=n,
            reason=_noop("all drafts were right, or none"),
        ),
    ]


def _edits(iteration: Iteration, rewrites: QuerySet[Response]) -> Iterable[Value]:
    sums = PromptSums("ratio", "same", "rewrites", seed=iteration.seed)
    tenths: Counter[int] = Counter()
    texts = rewrites.order_by("id").values_list("prompt_id", "text", "parent__text")[:MOST_COMPARED]
    for prompt, text, draft in texts.iterator(chunk_size=CHUNK):
        ratio = formulas.edit_ratio(draft or "", text)
        tenths[min(9, int(10 * ratio))] += 1
        sums.add(prompt, {"ratio": ratio, "same": ratio == 0, "rewrites": 1})
    if not sums:
        return []
    histogram = {"histogram": [[f"{i / 10:.1f} to {(i + 1) / 10:.1f}", tenths[i]] for i in range(10)]}
    return [
        sums.share("edit_ratio", "ratio", "rewrites", detail=histogram),
        sums.share("edit_unchanged", "same", "rewrites"),
    ]


def _content_effect(
    iteration: Iteration,
    after: dict[UUID, tuple[UUID, bool | None]],
    without: list[tuple[UUID, int, bool | None]],
) -> Value:
    """On drafts that were rewritten both ways, with both versions scored."""
    sums = PromptSums("with", "without", "drafts", seed=iteration.seed)
    for draft, prompt, bare in without:
        worded = after[draft][1] if draft in after else None
        if worded is not None and bare is not None:
            sums.add(prompt, {"with": worded, "without": bare, "drafts": 1})
    detail: dict[str, Any] = {"controls": len(without)}
    if not sums:
        return Value(
            "content_effect", None, detail=detail | {"reason": _noop("no draft was scored both ways")}
        )
    drafts = sums.total("drafts")
    detail |= {
        "drafts": drafts,
        "critique": sums.total("with") / drafts,
        "content_free": sums.total("without") / drafts,
    }
    return sums.value(
        "content_effect",
        lambda worded, bare, n: (worded - bare) / n,
        "with",
        "without",
        "drafts",
        n=len(sums),
        detail=detail,
    )


MEASURES = {Stage.GENERATE: _measured}
