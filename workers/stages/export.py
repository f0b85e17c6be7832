"""Base and adapter as one model, for download: merged in a process of its own, kept by content."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings

from loop.finetune.artifacts import files_sha, read_manifest, verify, write_manifest
from webapp.iterations.services import unit_completion
from webapp.registry.selectors import RegistryError, adapter_folder, version_for_work
from webapp.registry.services import version_hashes_check
from workers.lease import Lease, patiently
from workers.models import base_path, hashes_of

POLL_S = 0.5
ROOT = Path(__file__).parents[2]


def run(unit: Any, lease: Lease) -> None:
    """Raises RegistryError when the files are not the registered ones or merging fails; the words say why."""
    version = version_for_work(unit.payload["version_id"])
    lease.report(message="comparing the files with the registry")
    hashes = hashes_of(version.base)
    version_hashes_check(version=version, hashes=hashes)
    root: Path = settings.EXPORTS_DIR
    root.mkdir(parents=True, exist_ok=True)
    aside = root / f".{uuid.uuid4().hex}.tmp"
    try:
        lease.report(message="merging the adapter into its base")
        _merge(base_path(version.base), adapter_folder(version), aside, unit.payload["dtype"], lease)
        write_manifest(
            aside,
            hashes
            | {
                "model": version.name,
                "adapter_sha": version.adapter_sha,
                "dtype": unit.payload["dtype"],
            },
        )
        sha, folder = _placed(aside, root)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    size = sum(p.stat().st_size for p in folder.iterdir())

    def write() -> None:
        with unit_completion(unit_id=unit.pk, token=unit.token) as held:
            held.result = {"sha": sha, "bytes": size, "dtype": unit.payload["dtype"]}

    patiently(write)


def _merge(base: str, adapter: Path, target: Path, dtype: str, lease: Lease) -> None:
    """In a process of its own: the weights are in memory twice over, and a worker should not keep that."""
    command = [sys.executable, "-m", "workers.merge", base, str(adapter), str(target), dtype]
    process = subprocess.Popen(
        [*command, f"--die-with={os.getpid()}"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        while True:
            try:
                _, said = process.communicate(timeout=POLL_S)
                break
            except subprocess.TimeoutExpired:
                lease.check()
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines()
        raise RegistryError(f"merging failed: {lines[-1] if lines else f'code {process.returncode}'}")


def _placed(aside: Path, root: Path) -> tuple[str, Path]:
    """The finished folder under its content's name; one that is there already and whole is kept."""
    sha = files_sha(read_manifest(aside))
    target = root / sha
    if target.is_dir():
        if not verify(target):
            os.utime(target)  # young again: it is not cleaned away before it is fetched
            return sha, target
        shutil.rmtree(target)
    aside.rename(target)
    return sha, target
