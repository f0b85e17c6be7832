"""Adapters that were trained elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings

from loop.finetune.artifacts import MANIFEST, ArtifactError, read_manifest, store_adapter, write_manifest
from webapp.projects.models import Project
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import IMPORTED, RegistryError
from webapp.registry.services.versions import model_register

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
        recipe=IMPORTED,
        training={k: v for k, v in facts.items() if k != "files"},
    )
