"""Content-addressed folders and their manifests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from loop.finetune.artifacts import (
    ArtifactError,
    read_manifest,
    store_adapter,
    verified,
    verify,
    write_manifest,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "run" / "adapter"
    made.mkdir(parents=True)
    (made / "adapter_model.safetensors").write_bytes(b"weights")
    (made / "adapter_config.json").write_text("{}")
    write_manifest(made, {"run": "r1", "seconds": 1.5})
    return made


def test_a_whole_folder_has_no_problems(folder: Path) -> None:
    assert verify(folder) == []
    assert verified(folder)["run"] == "r1"


def test_every_problem_is_named(folder: Path) -> None:
    (folder / "adapter_model.safetensors").write_bytes(b"Weights")
    (folder / "adapter_config.json").unlink()
    (folder / "training_args.bin").write_bytes(b"pickle")
    assert verify(folder) == [
        "adapter_config.json is missing",
        "training_args.bin is not in the manifest",
        "adapter_model.safetensors is not what was written: its sha256 differs from the manifest's",
    ]
    with pytest.raises(ArtifactError, match=r"cannot be used: adapter_config\.json is missing"):
        verified(folder)


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"files": 3}'])
def test_a_folder_without_a_readable_manifest_was_never_finished(folder: Path, content: str | None) -> None:
    (folder / "manifest.json").unlink()
    if content is not None:
        (folder / "manifest.json").write_text(content)
    assert len(verify(folder)) == 1
    with pytest.raises(ArtifactError):
        read_manifest(folder)


def test_storing_is_idempotent_and_named_by_content(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    sha, path = store_adapter(folder, root)
    assert path == root / sha
    assert verify(path) == []
    assert store_adapter(folder, root) == (sha, path)
    write_manifest(folder, {"run": "r2", "seconds": 9})  # the same weights from another run
    assert store_adapter(folder, root) == (sha, path)
    (folder / "adapter_model.safetensors").write_bytes(b"other")
    write_manifest(folder, {})
    assert store_adapter(folder, root)[0] != sha
    assert not [p for p in root.iterdir() if p.name.startswith(".")]


def test_a_damaged_copy_is_replaced_and_a_damaged_original_refused(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    sha, path = store_adapter(folder, root)
    (path / "adapter_model.safetensors").write_bytes(b"rot")
    assert store_adapter(folder, root) == (sha, path)
    assert verify(path) == []
    (folder / "adapter_config.json").unlink()
    with pytest.raises(ArtifactError, match="missing"):
        store_adapter(folder, root)


def test_losing_the_race_is_no_error(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, rename = tmp_path / "artifacts", Path.rename

    def another_was_faster(self: Path, target: Path) -> Path:
        shutil.copytree(self, target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", another_was_faster)
    sha, path = store_adapter(folder, root)
    assert verify(path) == []
    assert [p.name for p in root.iterdir()] == [sha]
