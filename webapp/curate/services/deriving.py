"""From accepted annotations and verified samples to examples."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from hashlib import sha256
from typing import Any

from django.db import transaction

from loop.curate import Candidate, Material, curate, funnel, in_order
from loop.curate.sameness import text_sha
from loop.dialects import Dialect
from loop.recipe_parts import CuratePart
from loop.records import Origin, RowKind, TrainRow
from webapp.annotate.models import Annotation
from webapp.curate.models import Example, Writer
from webapp.curate.selectors import annotation_ids
from webapp.projects.models import Project
from webapp.traces.models import Response


def _canonical(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@transaction.atomic
def examples_derive(
    *,
    project: Project,
    iteration_id: int,
    materials: Iterable[Sequence[Material]],
    part: CuratePart,
    dialect: Dialect,
) -> tuple[list[Example], dict[str, int]]:
    """Derive the recipe's examples from ``materials`` and store the kept ones with their provenance.

    ``materials`` come in parts, each holding all there is on its prompts; one part is in memory at once.
    Returns the stored examples (without their rows, which are read on demand) in training order and the
    funnel: how many kept, how many dropped for each reason. A repeat finds the same rows again and
    stores nothing twice.
    """
    counts: Counter[str] = Counter()
    of_kind: dict[RowKind, list[str]] = {kind: [] for kind in part.rows}  # training order: kind by kind
    for some in materials:
        candidates = curate(some, part, dialect)
        counts.update(funnel(candidates))
        kept = [c for c in candidates if c.kept]
        shas = [_store_key(c) for c in kept]
        _store(project, iteration_id, kept, shas)
        for candidate, sha in zip(kept, shas, strict=True):
            of_kind[candidate.kind].append(sha)
    mine = Example.objects.filter(project=project, iteration_id=iteration_id).defer("row")
    stored = {e.row_sha: e for e in mine}
    # Two candidates may word the same row: one example.
    ordered = dict.fromkeys(sha for shas in of_kind.values() for sha in shas)
    return [stored[sha] for sha in ordered], in_order(counts)


def _store(project: Project, iteration_id: int, kept: list[Candidate], shas: list[str]) -> None:
    """Store kept candidates as examples, linked with the answers they rest on, which count as accepted."""
    behind = annotation_ids({s for c in kept for s in c.sources})
    wrote = writers(project, iteration_id, {c.response_id for c in kept if c.response_id})
    Example.objects.bulk_create(
        [_example(project, iteration_id, c, sha, wrote) for c, sha in zip(kept, shas, strict=True)],
        ignore_conflicts=True,
        batch_size=2000,
    )
    mine = Example.objects.filter(project=project, iteration_id=iteration_id, row_sha__in=shas)
    stored = dict(mine.values_list("row_sha", "pk"))
    through = Example.annotations.through
    through.objects.bulk_create(
        [
            through(example_id=stored[sha], annotation_id=behind[source])
            for c, sha in zip(kept, shas, strict=True)
            for source in c.sources
            if source in behind
        ],
        ignore_conflicts=True,
        batch_size=5000,
    )
    Annotation.objects.filter(pk__in=set(behind.values()), state=Annotation.State.SUBMITTED).update(
        state=Annotation.State.ACCEPTED
    )


def writers(
    project: Project, iteration_id: int, response_ids: set[str]
) -> dict[str | None, tuple[str, int | None]]:
    """Response -> (who wrote it, its model version). What rests on no one response is the iteration's
    champion's: it was on offer while that one wrote."""
    champion = project.iterations.filter(pk=iteration_id).values_list("champion_id", flat=True).first()
    found: dict[str | None, tuple[str, int | None]] = {
        None: (Writer.MODEL, champion) if champion else (Writer.UNKNOWN, None)
    }
    rows = Response.objects.filter(pk__in=response_ids)
    read: Iterable[tuple[Any, int | None, int | None, str]] = rows.values_list(
        "pk", "model_version_id", "author_id", "origin"
    )
    for pk, version, author, origin in read:
        person = author is not None or origin == Origin.CORRECTION
        writer = Writer.PERSON if person else Writer.MODEL if version else Writer.UNKNOWN
        found[str(pk)] = (writer, None if person else version)
    return found


# What rows had when they were first hashed; a later field counts only where a row uses it.
_ALWAYS = {"kind", "prompt_id", "messages", "chosen", "rejected", "prefix", "ends", "weight"}
_DEFAULTS = {f.name: f.default for f in fields(TrainRow) if f.name not in _ALWAYS}


def _written(row: TrainRow) -> dict[str, Any]:
    """The row as it is stored and hashed: without the fields it does not use."""
    return {k: v for k, v in asdict(row).items() if k not in _DEFAULTS or v != _DEFAULTS[k]}


def _store_key(candidate: Candidate) -> str:
    assert candidate.row is not None
    return sha256(_canonical(_written(candidate.row)).encode()).hexdigest()


def _example(
    project: Project,
    iteration_id: int | None,
    candidate: Candidate,
    sha: str,
    wrote: Mapping[str | None, tuple[str, int | None]],
) -> Example:
    assert candidate.row is not None
    row = _written(candidate.row)
    writer, model_version_id = wrote[candidate.response_id]
    return Example(
        project=project,
        iteration_id=iteration_id,
        prompt_id=int(candidate.prompt_id),
        kind=candidate.kind.value,
        row=row,
        row_sha=sha,
        text_sha=text_sha(row, candidate.response_id),
        writer=writer,
        model_version_id=model_version_id,
        response_id=candidate.response_id,
        accepted_by=candidate.accepted_by,
        weight=candidate.row.weight,
    )
