"""Immutable dataset versions: composing, freezing, reading back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Protocol

from django.db import transaction
from django.db.models import Max

from webapp.accounts.models import User
from webapp.curate.composing import Composition, rests_on
from webapp.curate.models import DatasetVersion, Example
from webapp.projects.models import Project
from webapp.projects.services import audit_record

AT_ONCE = 1000  # rows in memory while a version is read


class Listed(Protocol):
    """What freezing needs to know of an example."""

    @property
    def pk(self) -> int: ...
    @property
    def row_sha(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def accepted_by(self) -> str: ...
    @property
    def prompt_id(self) -> int: ...


def digest_of(row_shas: Iterable[str], factors: Iterable[float]) -> str:
    """The hash of a dataset version: of its rows in order, each with its factor where that is not 1."""
    lines = (
        sha if factor == 1 else f"{sha} {factor!r}" for sha, factor in zip(row_shas, factors, strict=True)
    )
    digest, first = sha256(), True
    for line in lines:
        digest.update(line.encode() if first else f"\n{line}".encode())
        first = False
    return digest.hexdigest()


@transaction.atomic
def dataset_freeze(
    *,
    project: Project,
    examples: Iterable[Listed],
    iteration_id: int | None = None,
    weights: Mapping[int, float] | None = None,
    manifest: dict[str, Any] | None = None,
    note: str = "",
    by: User | None = None,
) -> DatasetVersion:
    """Freeze a list of examples, in order, repeats by content removed. The database refuses later changes.

    ``weights``: example -> what its row's weight is multiplied by in training; 1 where none is given.
    Freezing the same rows with the same weights again gives the version there is: the hash is the identity.
    """
    unique = list({e.row_sha: e for e in examples}.values())
    factors = [float((weights or {}).get(e.pk, 1)) for e in unique]
    digest = digest_of((e.row_sha for e in unique), factors)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    same = DatasetVersion.objects.filter(project=project, sha256=digest, iteration=iteration_id).first()
    if same:
        return same
    number = (DatasetVersion.objects.filter(project=project).aggregate(m=Max("number"))["m"] or 0) + 1
    dataset = DatasetVersion.objects.create(
        project=project,
        iteration_id=iteration_id,
        number=number,
        sha256=digest,
        row_count=len(unique),
        example_ids=[e.pk for e in unique],
        row_weights=factors if any(factor != 1 for factor in factors) else [],
        note=note[:200],
        created_by=by,
        manifest={
            "kinds": dict(Counter(e.kind for e in unique)),
            "accepted_by": dict(Counter(e.accepted_by for e in unique)),
            "prompts": len({e.prompt_id for e in unique}),
            **(manifest or {}),
        },
    )
    if by:
        audit_record(
            project=project,
            actor=by,
            verb="dataset version frozen",
            target=str(dataset),
            data={"rows": dataset.row_count, "sha256": digest},
        )
    return dataset


def dataset_compose(
    *,
    project: Project,
    composition: Composition,
    iteration_id: int | None = None,
    manifest: dict[str, Any] | None = None,
    note: str = "",
    by: User | None = None,
) -> DatasetVersion:
    """Freeze what `webapp.curate.composing` chose, with everything it counted in the manifest."""
    rows = composition.mixture.rows
    return dataset_freeze(
        project=project,
        examples=rows,
        iteration_id=iteration_id,
        weights=composition.mixture.weights,
        manifest={**composition.manifest(), **rests_on([row.pk for row in rows]), **(manifest or {})},
        note=note,
        by=by,
    )


def dataset_check(*, dataset: DatasetVersion) -> None:
    """That the version is what was frozen; reads hashes alone.

    Raises:
        LookupError: an example is gone or was changed.
    """
    ids, factors = dataset.example_ids, dataset.row_weights or [1.0] * dataset.row_count
    shas: dict[int, str] = {}
    for start in range(0, len(ids), 10 * AT_ONCE):
        part = ids[start : start + 10 * AT_ONCE]
        shas |= dict(Example.objects.filter(pk__in=part).values_list("pk", "row_sha"))
    if len(shas) != len(ids):
        raise LookupError(f"{dataset} lists {len(ids)} examples, {len(shas)} exist")
    if len(factors) != len(ids) or digest_of((shas[pk] for pk in ids), factors) != dataset.sha256:
        raise LookupError(f"{dataset} does not match its hash")


def dataset_stream(*, dataset: DatasetVersion) -> Iterator[dict[str, Any]]:
    """The training rows of a dataset version, in order, `AT_ONCE` in memory; with ``weight`` as it counts.

    Raises:
        LookupError: at the first row: an example is gone or was changed, so the version is not what was
            frozen.
    """
    dataset_check(dataset=dataset)
    ids, factors = dataset.example_ids, dataset.row_weights or [1.0] * dataset.row_count
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        rows = dict(Example.objects.filter(pk__in=part).values_list("pk", "row"))
        for pk, factor in zip(part, factors[start : start + AT_ONCE], strict=True):
            row = rows[pk]
            yield row if factor == 1 else {**row, "weight": row.get("weight", 1.0) * factor}


def dataset_rows(*, dataset: DatasetVersion) -> list[dict[str, Any]]:
    """`dataset_stream` as a list.

    Raises:
        LookupError: an example is gone or was changed, so the version is not what was frozen.
    """
    return list(dataset_stream(dataset=dataset))
