"""Model versions: registered under names that are never used again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Max

from webapp.curate.models import DatasetVersion
from webapp.projects.models import Project
from webapp.registry.models import ModelVersion

Status = ModelVersion.Status


class RegistryError(Exception):
    """A registration or promotion that must not happen; the message says why."""


@transaction.atomic
def model_register(
    *,
    project: Project,
    status: str = Status.REGISTERED,
    role: str = ModelVersion.Role.POLICY,
    parent: ModelVersion | None = None,
    adapter_path: str = "",
    adapter_sha: str = "",
    hashes: Mapping[str, str] | None = None,
    dataset_version: DatasetVersion | None = None,
    iteration_id: int | None = None,
    recipe: str = "",
    training: Mapping[str, Any] | None = None,
) -> ModelVersion:
    """Add a model version under a name that was never used before.

    ``hashes`` may carry base_sha, tokenizer_sha and template_sha (hex sha256).
    """
    # One registration at a time per project keeps the numbers gapless and the names unique.
    # No key of the row changes: rows that refer to it may still be written meanwhile.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    number = (ModelVersion.objects.filter(project=project).aggregate(m=Max("number"))["m"] or 0) + 1
    return ModelVersion.objects.create(
        project=project,
        number=number,
        name=f"{project.slug}-v{number}",
        parent=parent,
        status=status,
        role=role,
        base=project.base,
        adapter_path=adapter_path,
        adapter_sha=adapter_sha,
        dialect=project.dialect,
        dataset_version=dataset_version,
        iteration_id=iteration_id,
        recipe=recipe,
        training=dict(training or {}),
        **{k: v for k, v in (hashes or {}).items() if k in ("base_sha", "tokenizer_sha", "template_sha")},
    )


def version_hashes_check(*, version: ModelVersion, hashes: Mapping[str, str]) -> None:
    """Compare a version with the files about to serve it; what it does not know yet is written down.

    Raises:
        RegistryError: another base, tokenizer or template than the version was registered with.
    """
    known = {name: getattr(version, name) for name in hashes}
    if different := [name.removesuffix("_sha") for name, sha in known.items() if sha and sha != hashes[name]]:
        raise RegistryError(
            f"{version.name} was registered with another {', '.join(different)} than {version.base} has now;"
            " restore the files, or register the model anew"
        )
    if missing := {name: sha for name, sha in hashes.items() if not known[name]}:
        ModelVersion.objects.filter(pk=version.pk).update(**missing)


@transaction.atomic
def base_register(*, project: Project) -> ModelVersion:
    """The bare base model as version 1 and first champion. A repeat returns the version there is."""
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if project.champion:
        return project.champion
    version = model_register(project=project, status=Status.CHAMPION)
    project.champion = version
    project.save(update_fields=["champion"])
    return version
