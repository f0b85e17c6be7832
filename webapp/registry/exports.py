"""What leaves the registry: an adapter or a merged model as a zip file, each with its card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from loop.finetune.artifacts import ArtifactError, verified
from webapp.registry.archive import KEPT, zip_stream
from webapp.registry.card import card
from webapp.registry.facts import card_facts
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import RegistryError, adapter_folder

CARD = "README.md"


def adapter_zip(version: ModelVersion) -> Iterator[bytes]:
    """The adapter as it is stored, and its card; read back by the import, it gets the same sha256.

    Raises:
        RegistryError: there is none, its weights were removed, or it is damaged.
    """
    if not version.adapter_path:
        raise RegistryError(f"{version.name} is the bare base model; it has no adapter to export")
    folder = adapter_folder(version)
    try:
        verified(folder)
    except ArtifactError as error:
        raise RegistryError(f"the adapter of {version.name} is damaged: {error}") from error
    entries = [(name, folder / name) for name in KEPT]
    return zip_stream([*entries, (CARD, card(card_facts(version)).encode())])


def merged_folder(sha: str) -> Path:
    """Where a merged model lies.

    Raises:
        RegistryError: it was cleaned away since.
    """
    folder: Path = settings.EXPORTS_DIR / sha
    if not sha or not folder.is_dir():
        raise RegistryError("the merged model was cleaned away since; have it made again")
    return folder


def merged_zip(version: ModelVersion, folder: Path) -> Iterator[bytes]:
    """A merged model's folder and the version's card."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file())
    entries = [(name, folder / name) for name in names]
    return zip_stream([*entries, (CARD, card(card_facts(version), merged=True).encode())])
