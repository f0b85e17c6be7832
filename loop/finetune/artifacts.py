"""Folders whose manifest vouches for every file: written aside, checked, renamed into place.

A folder without a valid manifest was never finished, whoever wrote it: readers ignore it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"


class ArtifactError(ValueError):
    """A folder that must not be used; the message names every problem."""


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Flush every file of ``folder`` to disk, then write the manifest (sha256 per file + ``facts``) last."""
    files = {}
    for path in _files(folder):
        _sync(path)
        files[path.relative_to(folder).as_posix()] = file_sha(path)
    manifest = {"files": files, **facts}
    aside = folder / (MANIFEST + ".tmp")
    aside.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    _sync(aside)
    aside.replace(folder / MANIFEST)
    _sync(folder)
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of ``folder``.

    Raises:
        ArtifactError: there is none, or it cannot be read.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if not isinstance(manifest["files"], dict):
            raise TypeError("files is not a table")
    except FileNotFoundError as error:
        raise ArtifactError(f"{folder} has no {MANIFEST}: it was never finished") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{folder / MANIFEST} cannot be read: {error}") from error
    return dict(manifest)


def verify(folder: Path) -> list[str]:
    """Every problem of ``folder`` against its manifest, in plain words; empty when all is well."""
    try:
        listed = read_manifest(folder)["files"]
    except ArtifactError as error:
        return [str(error)]
    present = {p.relative_to(folder).as_posix(): p for p in _files(folder)}
    problems = [f"{name} is missing" for name in listed if name not in present]
    problems += [f"{name} is not in the manifest" for name in present if name not in listed]
    for name, sha in listed.items():
        if name in present and file_sha(present[name]) != sha:
            problems.append(f"{name} is not what was written: its sha256 differs from the manifest's")
    return problems


def verified(folder: Path) -> dict[str, Any]:
    """The manifest of a folder that passes `verify`.

    Raises:
        ArtifactError: it does not.
    """
    if problems := verify(folder):
        raise ArtifactError(f"{folder} cannot be used: " + "; ".join(problems))
    return read_manifest(folder)


def files_sha(manifest: Mapping[str, Any]) -> str:
    """The name of a folder's content: sha256 of the manifest's file table."""
    return hashlib.sha256(json.dumps(manifest["files"], sort_keys=True).encode()).hexdigest()


def store_adapter(folder: Path, root: Path) -> tuple[str, Path]:
    """Copy a finished adapter into ``root/<sha>``, once, whoever asks and however often.

    The sha is `files_sha`: the same weights always get the same name.

    Raises:
        ArtifactError: the adapter does not match its manifest.
    """
    sha = files_sha(verified(folder))
    target = root / sha
    if _touched(target) and not verify(target):
        return sha, target
    root.mkdir(parents=True, exist_ok=True)
    aside = root / f".{sha}.{uuid.uuid4().hex}.tmp"
    try:
        shutil.copytree(folder, aside)
        for path in _files(aside):
            _sync(path)
        _sync(aside / MANIFEST)
        os.utime(aside)  # the copy has its source's times
        if target.exists() and verify(target):  # damaged since: the copy in hand is good, so take its place
            shutil.rmtree(target)
        try:
            aside.rename(target)
        except OSError:
            if verify(target):  # not another process that was faster with the same content
                raise
        _sync(root)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return sha, target


def _touched(folder: Path) -> bool:
    """Whether it is there. From now on it is young: garbage collection lets it be until it is registered."""
    try:
        os.utime(folder)
    except FileNotFoundError:
        return False
    return True


def _files(folder: Path) -> list[Path]:
    skip = {folder / MANIFEST, folder / (MANIFEST + ".tmp")}
    return sorted(p for p in folder.rglob("*") if p.is_file() and p not in skip)


def file_sha(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
