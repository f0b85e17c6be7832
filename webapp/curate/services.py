"""From accepted annotations and verified samples to examples and immutable dataset versions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.db.models import Max

from loop.curate import Candidate, Material, curate, funnel, in_order
from loop.dialects import Dialect
from loop.recipe import CuratePart
from loop.records import RowKind, TrainRow
from webapp.annotate.models import Annotation
from webapp.curate.models import DatasetVersion, Example
from webapp.curate.selectors import annotation_ids
from webapp.projects.models import Project


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
    Example.objects.bulk_create(
        [_example(project, iteration_id, c, sha) for c, sha in zip(kept, shas, strict=True)],
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


# What rows had when they were first hashed; a later field counts only where a row uses it.
_ALWAYS = {"kind", "prompt_id", "messages", "chosen", "rejected", "prefix", "ends", "weight"}
_DEFAULTS = {f.name: f.default for f in fields(TrainRow) if f.name not in _ALWAYS}


def _written(row: TrainRow) -> dict[str, Any]:
    """The row as it is stored and hashed: without the fields it does not use."""
    return {k: v for k, v in asdict(row).items() if k not in _DEFAULTS or v != _DEFAULTS[k]}


def _store_key(candidate: Candidate) -> str:
    assert candidate.row is not None
    return sha256(_canonical(_written(candidate.row)).encode()).hexdigest()


def _example(project: Project, iteration_id: int | None, candidate: Candidate, sha: str) -> Example:
    assert candidate.row is not None
    return Example(
        project=project,
        iteration_id=iteration_id,
        prompt_id=int(candidate.prompt_id),
        kind=candidate.kind.value,
        row=_written(candidate.row),
        row_sha=sha,
        response_id=candidate.response_id,
        accepted_by=candidate.accepted_by,
        weight=candidate.row.weight,
    )


@transaction.atomic
def dataset_freeze(
    *,
    project: Project,
    examples: Iterable[Example],
    iteration_id: int | None = None,
    manifest: dict[str, Any] | None = None,
) -> DatasetVersion:
    """Freeze a list of examples, in order, repeats by content removed. The database refuses later changes.

    Freezing the same rows again gives the version there is: the hash is the identity.
    """
    unique = list({e.row_sha: e for e in examples}.values())
    digest = sha256("\n".join(e.row_sha for e in unique).encode()).hexdigest()
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    same = DatasetVersion.objects.filter(project=project, sha256=digest, iteration=iteration_id).first()
    if same:
        return same
    number = (DatasetVersion.objects.filter(project=project).aggregate(m=Max("number"))["m"] or 0) + 1
    return DatasetVersion.objects.create(
        project=project,
        iteration_id=iteration_id,
        number=number,
        sha256=digest,
        row_count=len(unique),
        example_ids=[e.pk for e in unique],
        manifest={
            "kinds": dict(Counter(e.kind for e in unique)),
            "accepted_by": dict(Counter(e.accepted_by for e in unique)),
            "prompts": len({e.prompt_id for e in unique}),
            **(manifest or {}),
        },
    )


def dataset_rows(*, dataset: DatasetVersion) -> list[dict[str, Any]]:
    """The training rows of a dataset version, in order.

    Raises:
        LookupError: an example is gone or was changed, so the version is not what was frozen.
    """
    rows = Example.objects.in_bulk(dataset.example_ids)
    if len(rows) != len(dataset.example_ids):
        raise LookupError(f"{dataset} lists {len(dataset.example_ids)} examples, {len(rows)} exist")
    ordered = [rows[pk] for pk in dataset.example_ids]
    digest = sha256("\n".join(e.row_sha for e in ordered).encode()).hexdigest()
    if digest != dataset.sha256:
        raise LookupError(f"{dataset} does not match its hash")
    return [e.row for e in ordered]
