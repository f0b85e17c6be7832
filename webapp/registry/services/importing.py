"""Adapters that were trained elsewhere: checked, copied by content, registered; a worker then loads them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from loop.finetune.artifacts import (
    MANIFEST,
    ArtifactError,
    file_sha,
    read_manifest,
    store_adapter,
    write_manifest,
)
from loop.finetune.objectives import OBJECTIVES
from loop.finetune.safetensors_header import HeaderError, tensors
from webapp.accounts.models import User
from webapp.projects.models import Project
from webapp.projects.services import audit_record
from webapp.registry.archive import CONFIG, KEPT, WEIGHTS, ArchiveError, refuse_code, unzip_adapter
from webapp.registry.facts import base_name
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import IMPORTED, RegistryError
from webapp.registry.services.versions import model_register

# What PEFT calls the task, and what the adapter then makes of its base.
ROLES = {"CAUSAL_LM": "policy", None: "policy", "SEQ_CLS": "reward", "TOKEN_CLS": "process_reward"}
SCORES = "SEQ_CLS"  # either kind of scorer from here goes by it; its objective says which
LONGEST_JSON = 1 << 20
HASHES = ("base_sha", "tokenizer_sha", "template_sha")
# Of a manifest from elsewhere only these are taken, and only of these types.
TOLD: dict[str, type | tuple[type, ...]] = {
    "run": str, "objective": str, "rows": int, "steps": int, "seed": int, "final_loss": (int, float),
    "seconds": (int, float), "device": str,
}  # fmt: skip


class OtherBase(RegistryError):
    """The adapter does not say that it was trained on the project's base. Who knows better may insist."""


def adapter_import(
    *,
    project: Project,
    folder: Path,
    trained_on_this_base: bool = False,
    note: str = "",
    by: User | None = None,
) -> ModelVersion:
    """Register a PEFT adapter folder that was trained elsewhere, copied under the project's adapters.

    The folder is left as it is; of its files the configuration, the weights and a manifest are taken. The
    version cannot be promoted until a worker has loaded it (see `selectors.unusable`).

    Args:
        trained_on_this_base: the caller knows that it was, whatever its configuration says.

    Raises:
        OtherBase: its configuration names another base, or none.
        RegistryError: not a LoRA adapter, a file that may hold code, a damaged copy, or weights of another
            base by their hash.
    """
    _refuse_folder(folder)
    with TemporaryDirectory(prefix="adapter-") as aside:
        copy = Path(aside) / "adapter"
        copy.mkdir()
        for name in (CONFIG, WEIGHTS):
            shutil.copyfile(folder / name, copy / name)
        told = _manifest_of(folder, copy)
        config = _config_of(copy)
        _refuse_other_base(project, config, told, trained_on_this_base)
        _refuse_weights(copy)
        facts = {"imported": True, "base": _named(config)} | told
        write_manifest(copy, facts)
        try:
            sha, stored = store_adapter(copy, settings.ADAPTERS_DIR)
        except (ArtifactError, OSError) as error:
            raise RegistryError(str(error)) from error
    lora = {k: config.get(k) for k in ("r", "lora_alpha", "target_modules") if config.get(k) is not None}
    version = model_register(
        project=project,
        role=_role(config, told),
        parent=project.model_versions.order_by("number").first(),
        adapter_path=stored.relative_to(settings.ADAPTERS_DIR).as_posix(),
        adapter_sha=sha,
        hashes={k: v for k, v in told.items() if k in HASHES},
        recipe=IMPORTED,
        training={"base": _named(config), "lora": lora} | {k: v for k, v in told.items() if k not in HASHES},
        note=note,
    )
    audit_record(project=project, actor=by, verb="adapter imported", target=version.name)
    return version


def upload_unpack(*, files: Iterable[UploadedFile], into: Path) -> None:
    """Lay uploaded files, or the one zip file among them, out as an adapter's folder.

    Raises:
        RegistryError: too large, not a zip file, or a name that is not taken.
    """
    files = list(files)
    limit: int = settings.ADAPTER_UPLOAD_BYTES
    if sum(f.size or 0 for f in files) > limit:
        raise RegistryError(f"The upload is larger than the {limit >> 20} MB that are taken")
    try:
        if len(files) == 1 and str(files[0].name).lower().endswith(".zip"):
            with TemporaryDirectory(prefix="upload-") as aside:
                archive = Path(aside) / "adapter.zip"
                _write(files[0], archive)
                unzip_adapter(archive, into, limit)
            return
        for file in files:
            name = PurePath(str(file.name)).name
            refuse_code(name)
            if name in KEPT:
                _write(file, into / name)
    except ArchiveError as error:
        raise RegistryError(f"The upload cannot be used: {error}") from error


def _write(file: UploadedFile, target: Path) -> None:
    with target.open("wb") as out:
        for chunk in file.chunks():
            out.write(chunk)


def _refuse_folder(folder: Path) -> None:
    if not (folder / CONFIG).is_file():
        raise RegistryError(f"{folder.name} is no adapter: it has no {CONFIG}")
    try:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            refuse_code(path.name)
    except ArchiveError as error:
        raise RegistryError(f"{folder.name} is not taken: {error}") from error
    if not (folder / WEIGHTS).is_file():
        raise RegistryError(
            f"{folder.name} has no {WEIGHTS}; other formats can carry code and are refused, and weights in"
            " several files are not taken"
        )


def _manifest_of(folder: Path, copy: Path) -> dict[str, Any]:
    """What the manifest says, once the copied files are those it lists; empty without one."""
    if not (folder / MANIFEST).is_file():
        return {}
    if (folder / MANIFEST).stat().st_size > LONGEST_JSON:
        raise RegistryError(f"{MANIFEST} is longer than any real one")
    try:
        manifest = read_manifest(folder)
    except ArtifactError as error:
        raise RegistryError(str(error)) from error
    for path in copy.iterdir():
        if manifest["files"].get(path.name) != file_sha(path):
            raise RegistryError(
                f"{path.name} is not what was written: its sha256 differs from the manifest's"
            )
    told = {k: manifest[k] for k, kind in TOLD.items() if _is(manifest.get(k), kind)}
    told |= {k: manifest[k] for k in HASHES if _is_sha(manifest.get(k))}
    if _is_reading(manifest.get("canary")):
        told["canary"] = manifest["canary"]
    _refuse_odd(told, MANIFEST)
    return told


def _refuse_odd(table: Mapping[str, Any], name: str) -> None:
    """What JSON may hold and the database does not: NUL, half a character, numbers that are none."""
    try:
        text = json.dumps(table, allow_nan=False, ensure_ascii=False)
        text.encode()
    except ValueError as error:
        raise RegistryError(f"{name} cannot be read: {error}") from error
    if "\\u0000" in text:
        raise RegistryError(f"{name} cannot be read: it holds a NUL character")


def _is(value: Any, kind: type | tuple[type, ...]) -> bool:
    if isinstance(value, float) and not isfinite(value):
        return False
    return isinstance(value, kind) and not isinstance(value, bool) and len(str(value)) <= 200


def _is_sha(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and not set(value) - set("0123456789abcdef")


def _is_reading(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and all(isinstance(value.get(k), str) for k in ("kind", "texts", "device", "dtype"))
        and isinstance(value.get("values"), Mapping)
        and all(
            isinstance(row, list) and all(isinstance(x, int | float) and abs(x) < 1e300 for x in row)
            for row in value["values"].values()
        )
    )


def _config_of(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if path.stat().st_size > LONGEST_JSON:
        raise RegistryError(f"{CONFIG} is longer than any real one")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise RegistryError(f"{CONFIG} cannot be read: {error}") from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else None
        raise RegistryError(f"only LoRA adapters are taken; {CONFIG} says peft_type {kind!r}")
    task = config.get("task_type")
    if not isinstance(task, str | None) or task not in ROLES:
        known = ", ".join(t for t in ROLES if t)
        raise RegistryError(f"{CONFIG} says task_type {task!r}; there is use for {known}")
    _refuse_odd(config, CONFIG)
    return config


def _role(config: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    task, objective = config.get("task_type"), OBJECTIVES.get(str(told.get("objective")))
    if task == SCORES and objective is not None and objective.gives != "policy":
        return objective.gives
    return ROLES[task]


def _named(config: Mapping[str, Any]) -> str:
    return base_name(str(config.get("base_model_name_or_path") or ""))[:200]


def _refuse_other_base(
    project: Project, config: Mapping[str, Any], told: Mapping[str, Any], insisted: bool
) -> None:
    known = project.model_versions.exclude(base_sha="").order_by("-number").values_list("base_sha", flat=True)
    here, there = known.first(), told.get("base_sha")
    if here and there:
        if here != there:
            raise RegistryError(
                f"it was trained on other weights than {base_name(project.base)} has here: the sha256 of the"
                f" base in its manifest is {there[:12]}…, here it is {here[:12]}…"
            )
        return
    if insisted or same_base(_named(config), project.base):
        return
    named = _named(config)
    says = f"names {named} as its base" if named else "does not say which base it was trained on"
    raise OtherBase(
        f"its {CONFIG} {says}, and this project's is {base_name(project.base)}. An adapter on another base"
        " loads and answers nonsense; go on only if you know that it was trained on this base"
    )


def same_base(named: str, base: str) -> bool:
    """Whether two ways to write a base can mean the same one: in full, or a folder's name and a hub id's."""
    mine = {base_name(base).lower()}
    if base == "seed":
        mine.add(Path(settings.SEED_MODEL_DIR).name.lower())
    named = named.lower()
    if named in mine:
        return True
    full = any("/" in m for m in mine) and "/" in named
    return bool(named) and not full and named.rpartition("/")[2] in {m.rpartition("/")[2] for m in mine}


def _refuse_weights(folder: Path) -> None:
    try:
        found = tensors(folder / WEIGHTS)
    except HeaderError as error:
        raise RegistryError(str(error)) from error
    if not any(".lora_" in name for name in found):
        raise RegistryError(f"{WEIGHTS} holds no LoRA weights")
