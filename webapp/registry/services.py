"""Model versions, evaluations and the champion pointer. Promote and roll back are one transaction each."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from loop.finetune.artifacts import MANIFEST, ArtifactError, read_manifest, store_adapter, write_manifest
from webapp.accounts.models import User
from webapp.curate.models import DatasetVersion
from webapp.projects.models import Project
from webapp.registry.models import Evaluation, EvaluationOutcome, ModelVersion, Promotion

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


# What an adapter folder from outside may hold. Pickles are code; they are refused, not skipped.
_ALLOWED = (".safetensors", ".json", ".md", ".txt", ".jinja")


def adapter_import(*, project: Project, folder: Path) -> ModelVersion:
    """Register a PEFT adapter folder that was trained elsewhere, copied under the project's adapters.

    Raises:
        RegistryError: not an adapter, a file that may hold code, or a damaged copy.
    """
    if not (folder / "adapter_config.json").is_file():
        raise RegistryError(f"{folder} is no adapter: it has no adapter_config.json")
    if not any(folder.glob("*.safetensors")):
        raise RegistryError(
            f"{folder} has no .safetensors file; other formats can carry code and are refused"
        )
    if bad := sorted(p.name for p in folder.rglob("*") if p.is_file() and p.suffix not in _ALLOWED):
        raise RegistryError(f"{folder} holds {', '.join(bad[:5])}; only {', '.join(_ALLOWED)} are taken")
    with TemporaryDirectory(prefix="adapter-") as aside:
        copy = Path(aside) / "adapter"
        shutil.copytree(folder, copy)
        if not (copy / MANIFEST).is_file():
            write_manifest(copy, {"imported": True})
        try:
            sha, stored = store_adapter(copy, settings.ADAPTERS_DIR)
        except ArtifactError as error:
            raise RegistryError(str(error)) from error
    facts = read_manifest(stored)
    return model_register(
        project=project,
        parent=project.model_versions.order_by("number").first(),
        adapter_path=stored.relative_to(settings.ADAPTERS_DIR).as_posix(),
        adapter_sha=sha,
        hashes=facts,
        recipe="imported",
        training={k: v for k, v in facts.items() if k != "files"},
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


def _move_champion(
    *,
    project: Project,
    to: ModelVersion,
    kind: str,
    reasons: Iterable[str],
    evidence: Mapping[str, Any],
    iteration_id: int | None,
    by: User | None,
) -> Promotion:
    locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if to.project_id != locked.pk:
        raise RegistryError(f"{to.name} belongs to another project")
    if to.status == Status.CONTROL:
        raise RegistryError(f"{to.name} is a control arm; control arms are never promoted")
    before = locked.champion
    if before and before.pk == to.pk:
        raise RegistryError(f"{to.name} is the champion already")
    if before:
        ModelVersion.objects.filter(pk=before.pk).update(status=Status.RETIRED)
    ModelVersion.objects.filter(pk=to.pk).update(status=Status.CHAMPION)
    locked.champion = to
    locked.save(update_fields=["champion"])
    return Promotion.objects.create(
        project=locked,
        kind=kind,
        from_version=before,
        to_version=to,
        iteration_id=iteration_id,
        reasons=list(reasons),
        evidence=dict(evidence),
        by=by,
    )


@transaction.atomic
def champion_promote(
    *,
    project: Project,
    version: ModelVersion,
    reasons: Iterable[str] = (),
    reason: str = "",
    evidence: Mapping[str, Any] | None = None,
    iteration_id: int | None = None,
    by: User | None = None,
) -> Promotion:
    """Make ``version`` the champion.

    Raises:
        RegistryError: other project, control arm, or champion already.
    """
    return _move_champion(
        project=project,
        to=version,
        kind=Promotion.Kind.PROMOTED,
        reasons=[*reasons, *([reason] if reason else [])],
        evidence=evidence or {},
        iteration_id=iteration_id,
        by=by,
    )


@transaction.atomic
def champion_roll_back(*, project: Project, to: ModelVersion, by: User | None, reason: str) -> Promotion:
    """Move the pointer back to a version that was champion before.

    Raises:
        RegistryError: it never was champion, or is now.
    """
    if to.status not in (Status.RETIRED, Status.CHAMPION):
        raise RegistryError(f"{to.name} was never champion; promote it instead")
    return _move_champion(
        project=project,
        to=to,
        kind=Promotion.Kind.ROLLED_BACK,
        reasons=[reason],
        evidence={},
        iteration_id=None,
        by=by,
    )


@transaction.atomic
def challenger_hold(
    *, version: ModelVersion, reasons: Iterable[str], evidence: Mapping[str, Any], iteration_id: int | None
) -> Promotion:
    """Record that the gate held a challenger. A hold is a result, kept with its reasons."""
    if version.status == Status.CHALLENGER:
        version.status = Status.HELD
        version.save(update_fields=["status"])
    # Read now: the project in hand may have been loaded before the pointer last moved.
    project = Project.objects.select_related("champion").get(pk=version.project_id)
    return Promotion.objects.create(
        project=project,
        kind=Promotion.Kind.HELD,
        from_version=project.champion,
        to_version=version,
        iteration_id=iteration_id,
        reasons=list(reasons),
        evidence=dict(evidence),
    )


def challenger_withdraw(*, version_id: int) -> None:
    """Hold a challenger whose iteration was cancelled: the gate will not decide on it."""
    ModelVersion.objects.filter(pk=version_id, status=Status.CHALLENGER).update(status=Status.HELD)


def prompts_sha(prompt_ids: Iterable[int], sampling: Mapping[str, Any]) -> str:
    """Identity of an evaluation set: the ordered prompt ids and how answers are sampled."""
    text = ",".join(map(str, prompt_ids)) + repr(sorted(sampling.items()))
    return sha256(text.encode()).hexdigest()


def evaluation_for(
    *, version: ModelVersion, split: str, sha: str, sampling: Mapping[str, Any], size: int
) -> Evaluation:
    """The evaluation row of this version on this set of ``size`` prompts, made on first use."""
    evaluation, _ = Evaluation.objects.get_or_create(
        model_version=version,
        split=split,
        prompts_sha=sha,
        defaults={"sampling": dict(sampling), "size": size, "done": size == 0},
    )
    return evaluation


def outcomes_store(*, evaluation: Evaluation, outcomes: Iterable[tuple[int, str, str | None]]) -> None:
    """Store (prompt id, verdict, response id) rows; a repeat changes nothing."""
    EvaluationOutcome.objects.bulk_create(
        [
            EvaluationOutcome(evaluation=evaluation, prompt_id=p, verdict=v, response_id=r)
            for p, v, r in outcomes
        ],
        ignore_conflicts=True,
        batch_size=2000,
    )


def evaluation_finish_if_complete(*, evaluation: Evaluation) -> bool:
    """Close the evaluation once every prompt has its outcome. True when this call or an earlier one did."""
    # Two workers that stored outcomes both hold a key lock on this row: a full lock would make each wait
    # for the other.
    locked = Evaluation.objects.select_for_update(no_key=True).get(pk=evaluation.pk)
    verdicts = list(locked.outcomes.values_list("verdict", flat=True))
    if len(verdicts) < locked.size:
        return False
    locked.n = len(verdicts)
    locked.right = verdicts.count("right")
    # What could not be checked is not a score.
    locked.errors = verdicts.count("error") + verdicts.count("unknown")
    locked.done = True
    locked.save(update_fields=["n", "right", "errors", "done"])
    return True
