"""An adapter from elsewhere, loaded on its base: does it fit, is it in effect, what does it say?"""

from __future__ import annotations

from typing import Any

from webapp.iterations.services import unit_completion
from webapp.registry.selectors import version_for_work
from webapp.registry.services import version_canary_check
from workers.lease import Lease, patiently
from workers.models import engine_with

UNCHECKED = {"kind": "none", "values": {}}  # its server cannot score given text


def run(unit: Any, lease: Lease) -> None:
    """Raises what `engine_with` does: the unit fails with those words, and the version stays out of use."""
    version = version_for_work(unit.payload["version_id"])
    lease.report(message="loading the adapter on its base")
    engine_with(version)

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            now = version_for_work(version.pk)
            if not now.canary:
                version_canary_check(version=now, reading=UNCHECKED)
            held.result = {"model": now.name, "adapter_sha": now.adapter_sha}

    patiently(write)
