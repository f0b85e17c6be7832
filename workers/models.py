"""The models this process holds: one engine per base, adapters loaded by name on first use."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from webapp.registry.services import RegistryError, version_hashes_check

SEED = "seed"  # how a project names the model that ships with the repository

_engines: dict[str, Any] = {}
_checked: set[str] = set()  # names of versions whose files were compared and whose adapter is loaded


def base_path(base: str) -> str:
    """Where a project's base model lies: the shipped seed model, or the folder or hub id as written."""
    return str(settings.SEED_MODEL_DIR) if base == SEED else base


def engine_with(version: Any) -> Any:
    """An engine that can answer as ``version`` (a ModelVersion).

    On first use of a version its base, tokenizer and template are compared with the hashes it was
    registered with, and a canary makes sure that its adapter is in effect.

    Raises:
        RegistryError: the adapter is missing, or the files are not those that were registered.
        ArtifactError, CanaryError: the adapter is damaged, or changes nothing.
    """
    from workers.alternatives import Interlude
    from workers.engines import engine_for

    if version.base not in _engines:
        _engines.clear()  # one base at a time: a model worker owns its memory
        _checked.clear()
        _engines[version.base] = engine_for(base_path(version.base))
        _engines[version.base].between = Interlude(version.base)
    engine = _engines[version.base]
    if version.name not in _checked:
        _check(engine, version)
        _checked.add(version.name)
    return engine


def _check(engine: Any, version: Any) -> None:
    from workers.engines import OPENAI_PREFIX
    from workers.engines.canary import canary
    from workers.engines.hashes import base_sha, template_sha, tokenizer_sha

    served_here = not version.base.startswith(OPENAI_PREFIX)  # a server's files are its own
    if served_here:
        base = base_path(version.base)
        hashes = {
            "base_sha": base_sha(base),
            "tokenizer_sha": tokenizer_sha(base),
            "template_sha": template_sha(base),
        }
        version_hashes_check(version=version, hashes=hashes)
    if version.adapter_name:
        folder = settings.ADAPTERS_DIR / version.adapter_path
        if not folder.is_dir():
            raise RegistryError(f"the adapter of {version.name} is missing: {folder}")
        engine.load_adapter(version.adapter_name, folder)
        if served_here:
            canary(engine, version.adapter_name)
