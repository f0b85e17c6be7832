"""Which version is in use: promote, roll back and hold, each one transaction with its reasons and evidence.

Every role of a project has at most one champion. The policy's is the project's pointer as well; a scorer's
is its status alone (see `selectors.scorer_in_use`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from webapp.accounts.models import User
from webapp.projects.models import Project
from webapp.registry.models import ModelVersion, Promotion
from webapp.registry.selectors import RegistryError, in_use, unusable

Status = ModelVersion.Status


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
    # The project's row is the lock: promotions, roll-backs and garbage collection queue up behind it.
    locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if to.project_id != locked.pk:
        raise RegistryError(f"{to.name} belongs to another project")
    to = ModelVersion.objects.get(pk=to.pk)  # as it is under the lock, not as it was when the caller read it
    if kind == Promotion.Kind.ROLLED_BACK and to.status not in (Status.RETIRED, Status.CHAMPION):
        raise RegistryError(f"{to.name} was never champion; promote it instead")
    if why := unusable(to):
        raise RegistryError(why)
    before = in_use(locked, to.role)
    if before and before.pk == to.pk:
        raise RegistryError(f"{to.name} is the champion already")
    if before:
        ModelVersion.objects.filter(pk=before.pk).update(status=Status.RETIRED)
    ModelVersion.objects.filter(pk=to.pk).update(status=Status.CHAMPION)
    if to.role == ModelVersion.Role.POLICY:
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
    """Make ``version`` the champion of its role; the role's earlier champion retires.

    A scorer's promotion leaves the project's pointer to its policy alone.

    Raises:
        RegistryError: other project, control arm, champion already, weights that are gone, or an import
            that no worker has loaded yet.
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
def champion_roll_back(
    *,
    project: Project,
    to: ModelVersion,
    by: User | None,
    reason: str,
    evidence: Mapping[str, Any] | None = None,
) -> Promotion:
    """Move back to a version that was champion of its role before.

    Raises:
        RegistryError: it never was champion, is now, or its weights are gone.
    """
    return _move_champion(
        project=project,
        to=to,
        kind=Promotion.Kind.ROLLED_BACK,
        reasons=[reason],
        evidence=evidence or {},
        iteration_id=None,
        by=by,
    )


@transaction.atomic
def challenger_hold(
    *, version: ModelVersion, reasons: Iterable[str], evidence: Mapping[str, Any], iteration_id: int | None
) -> Promotion:
    """Record that the gate held a challenger. A hold is a result, kept with its reasons."""
    # By the row, not by what is in hand: a lead may have promoted it by hand while the gate was weighing.
    challenger_withdraw(version_id=version.pk)
    version.refresh_from_db(fields=["status"])
    # Read now: the project in hand may have been loaded before the pointer last moved.
    project = Project.objects.select_related("champion").get(pk=version.project_id)
    return Promotion.objects.create(
        project=project,
        kind=Promotion.Kind.HELD,
        from_version=in_use(project, version.role),
        to_version=version,
        iteration_id=iteration_id,
        reasons=list(reasons),
        evidence=dict(evidence),
    )


def challenger_withdraw(*, version_id: int) -> None:
    """Hold a challenger whose iteration was cancelled: the gate will not decide on it."""
    ModelVersion.objects.filter(pk=version_id, status=Status.CHALLENGER).update(status=Status.HELD)
