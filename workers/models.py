"""The models this process holds: one engine per base, adapters loaded by name on first use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings

from webapp.registry.services import RegistryError

SEED = "seed"  # how a project names the model that ships with the repository

_engines: dict[str, Any] = {}


def base_path(base: str) -> str:
    """Where a project's base model lies: the shipped seed model, or the folder or hub id as written."""
    return str(settings.SEED_MODEL_DIR) if base == SEED else base


def engine_with(version: Any) -> Any:
    """An engine that can answer as ``version`` (a ModelVersion).

    A name is never loaded from two folders: engines refuse it, and the registry never reuses one.

    Raises:
        RegistryError: the version's adapter is missing or damaged.
    """
    from workers.engines import engine_for

    if version.base not in _engines:
        _engines.clear()  # one base at a time: a model worker owns its memory
        _engines[version.base] = engine_for(base_path(version.base))
    engine = _engines[version.base]
    if version.adapter_name:
        folder = Path(version.adapter_path)
        if not folder.is_absolute():
            folder = settings.ADAPTERS_DIR / folder
        if not folder.is_dir():
            raise RegistryError(f"the adapter of {version.name} is missing: {folder}")
        engine.load_adapter(version.adapter_name, folder)
    return engine
