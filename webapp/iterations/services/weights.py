"""Machine work on a version's weights: loading an import to see that it fits, merging one for export."""

from __future__ import annotations

from typing import Any, Literal

from django.db import transaction
from django.utils import timezone

from loop.stages import Stage
from webapp import broker
from webapp.accounts.models import User
from webapp.events import notify
from webapp.iterations.models import Queue, WorkUnit
from webapp.iterations.selectors import OPEN_STATES
from webapp.projects.models import AuditEvent, Project
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import RegistryError, adapter_folder

INSPECT, EXPORT = "inspect", "export"
Precision = Literal["float32", "bfloat16"]


@transaction.atomic
def adapter_inspect(*, version: ModelVersion, by: User | None) -> WorkUnit:
    """Have a model worker load the version on its base: it notes hashes and canary, or says what is wrong.

    While such a unit is open, a repeat returns it.
    """
    return _queued(version, INSPECT, Queue.MODEL, {"version_id": version.pk}, by)


@transaction.atomic
def model_merge(*, version: ModelVersion, precision: Precision, by: User | None) -> WorkUnit:
    """Have a worker merge base and adapter into one model for download; the unit's result names it.

    Raises:
        RegistryError: a version without an adapter to merge, one that scores, or a base that lies elsewhere.
    """
    if version.base.startswith("openai+"):
        raise RegistryError(f"{version.name} is served from elsewhere; its base's weights are not here")
    if version.role != ModelVersion.Role.POLICY:
        raise RegistryError(f"{version.name} scores answers; export its adapter, which holds its head")
    if not version.adapter_path:
        raise RegistryError(f"{version.name} is the bare base model; there is nothing to merge")
    adapter_folder(version)
    payload = {"version_id": version.pk, "dtype": precision}
    return _queued(version, EXPORT, Queue.LIGHT, payload, by)


def _queued(
    version: ModelVersion, kind: str, queue: Queue, payload: dict[str, Any], by: User | None
) -> WorkUnit:
    # Locked: of two who ask at once, the second finds the first's unit; nor is the version cleaned meanwhile.
    Project.objects.select_for_update(no_key=True).get(pk=version.project_id)
    alike = WorkUnit.objects.filter(project=version.project_id, kind=kind, payload=payload)
    if waiting := alike.filter(state__in=OPEN_STATES).first():
        return waiting
    unit = WorkUnit.objects.create(
        project_id=version.project_id,
        stage=Stage.DONE.value,
        kind=kind,
        queue=queue,
        payload=payload,
        asked_by=by,
        announced_at=timezone.now(),
    )
    verb = "model merged for export" if kind == EXPORT else "adapter checked"
    AuditEvent.objects.create(project_id=version.project_id, actor=by, verb=verb, target=version.name)
    notify(project_id=version.project_id, iteration_id=None, what="unit")
    transaction.on_commit(lambda: broker.announce(queue), robust=True)
    return unit
