"""Model versions: registered under names that are never used again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from loop.finetune.canary import comparable, disagreement
from webapp.accounts.models import User
from webapp.curate.models import DatasetVersion
from webapp.projects.models import Project
from webapp.projects.services import audit_record
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import RegistryError

Status = ModelVersion.Status


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
    note: str = "",
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
        weights_bytes=_size(settings.ADAPTERS_DIR / adapter_path) if adapter_path else 0,
        dialect=project.dialect,
        dataset_version=dataset_version,
        iteration_id=iteration_id,
        recipe=recipe,
        training=dict(training or {}),
        note=note,
        **{k: v for k, v in (hashes or {}).items() if k in ("base_sha", "tokenizer_sha", "template_sha")},
    )


@transaction.atomic
def version_note(*, version: ModelVersion, note: str, by: User) -> None:
    """Set what people say of a version."""
    ModelVersion.objects.filter(pk=version.pk).update(note=note)
    audit_record(project=version.project, actor=by, verb="model note written", target=version.name)


@transaction.atomic
def keep_weights(*, project: Project, days: int | None, by: User) -> None:
    """For how many days the weights of held and control versions are kept; None: for ever."""
    Project.objects.filter(pk=project.pk).update(keep_weights_days=days)
    audit_record(project=project, actor=by, verb="weights kept", target=project.slug, data={"days": days})


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


@transaction.atomic
def version_canary_check(*, version: ModelVersion, reading: Mapping[str, Any]) -> None:
    """Compare what a version says of the fixed texts with what it said before; the first time, write it down.

    The first reading is compared with the trainer's own, where the adapter's manifest has one.

    Raises:
        RegistryError: other weights than those in effect before are in effect now.
    """
    # Of two workers that load it first, the second compares.
    row = ModelVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
    noted, who = (
        (row.canary, "when it was first loaded")
        if row.canary
        else (row.training.get("canary") or {}, "by its trainer")
    )
    if why := disagreement(noted, reading):
        raise RegistryError(
            f"{row.name} does not say what was noted {who}: {why}. Its files may be those of another model,"
            " or its adapter is not in effect"
        )
    if not comparable(row.canary, reading):  # none yet, or of texts that a release changed
        row.canary = dict(reading)
        row.save(update_fields=["canary"])


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
