"""The models this process holds: one engine per base, adapters loaded by name on first use."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from loop.model import Scorer
from webapp.registry.selectors import adapter_folder
from webapp.registry.services import version_canary_check, version_hashes_check

POLICY, PROCESS_REWARD = "policy", "process_reward"
SEED = "seed"  # how a project names the model that ships with the repository

_engines: dict[str, Any] = {}
_checked: set[str] = set()  # names of versions whose files were compared and whose adapter is loaded


def base_path(base: str) -> str:
    """Where a project's base model lies: the shipped seed model, or the folder or hub id as written."""
    return str(settings.SEED_MODEL_DIR) if base == SEED else base


def engine_with(version: Any) -> Any:
    """An engine that can answer as ``version`` (a ModelVersion).

    When a version is loaded, its base, tokenizer, template and adapter are compared with the hashes it was
    registered with, and a canary makes sure that its adapter is in effect and says what it said before.

    Raises:
        RegistryError: its weights are gone, or the files or the canary are not those that were noted.
        ArtifactError, CanaryError: the adapter is damaged, or changes nothing.
    """
    from workers.engines import engine_for
    from workers.waiting import Interlude

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


def as_scorer(version: Any) -> Scorer:
    """What a method may ask of ``version``, a scorer that is loaded on the engine it runs on."""
    return Scorer(version.name, version.adapter_name, version.role)


def _check(engine: Any, version: Any) -> None:
    from workers.engines import OPENAI_PREFIX

    if not version.base.startswith(OPENAI_PREFIX):  # a server's files are its own
        version_hashes_check(version=version, hashes=hashes_of(version.base))
    if version.adapter_name:
        engine.load_adapter(version.adapter_name, adapter_folder(version))
    if reading := _reading(engine, version):
        version_canary_check(version=version, reading=reading)


def hashes_of(base: str) -> dict[str, str]:
    """base_sha, tokenizer_sha and template_sha of the files a project's base has now."""
    from workers.engines.hashes import base_sha, template_sha, tokenizer_sha

    path = base_path(base)
    return {
        "base_sha": base_sha(path),
        "tokenizer_sha": tokenizer_sha(path),
        "template_sha": template_sha(path),
    }


def _reading(engine: Any, version: Any) -> dict[str, Any] | None:
    """What the version says of the fixed texts; None where its engine cannot score given text."""
    from workers.engines.canary import canary, scorer_canary
    from workers.engines.openai_engine import NotSupported

    try:
        if version.role != POLICY:
            return scorer_canary(engine, version.adapter_name, steps=version.role == PROCESS_REWARD)
        return canary(engine, version.adapter_name)
    except NotSupported:
        return None
