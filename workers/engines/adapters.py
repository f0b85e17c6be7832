"""LoRA adapters on one base model, by name.

A name means one folder for the life of the engine: whatever caches by name (here PEFT's table, elsewhere
a server's prefix cache) must never meet other weights under a name it knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loop.finetune.artifacts import ArtifactError, verified
from workers.engines.hashes import base_sha


class AdapterTable:
    """Loads adapters into ``model`` (a plain transformers model) and switches between them."""

    def __init__(self, model: Any, base: str) -> None:
        self._plain, self._base = model, base
        self._peft: Any = None
        self._on: str | None = None  # the adapter in effect; None: the bare base
        self._paths: dict[str, Path] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._paths

    def load(self, name: str, path: Path) -> None:
        """Make the adapter in ``path`` answer to ``name``; a second call with the same pair does nothing.

        Raises:
            ArtifactError: the folder fails its manifest, was trained on another base, or its weights are
                not exactly those the base has room for.
            ValueError: the name already means another folder.
        """
        path = path.resolve()
        if name in self._paths:
            if self._paths[name] != path:
                raise ValueError(
                    f"adapter name {name!r} already means {self._paths[name]}; give {path} a name of its own"
                )
            return
        manifest = verified(path)
        trained_on = manifest.get("base_sha")
        if trained_on and trained_on != base_sha(self._base):
            raise ArtifactError(f"{path} was trained on another base model than {self._base}")
        self._add(name, path)
        self._paths[name] = path
        self._switch(self._on)  # loading turns adapters on; a batch may be under way

    def _add(self, name: str, path: Path) -> None:
        from peft import PeftConfig, PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
        from safetensors.torch import load_file

        config = PeftConfig.from_pretrained(str(path))
        config.inference_mode = True
        fresh = self._peft is None
        if fresh:
            self._peft = PeftModel(self._plain, config, adapter_name=name)
        else:
            self._peft.add_adapter(name, config)
        try:
            state = load_file(path / "adapter_model.safetensors")
            wanted = get_peft_model_state_dict(self._peft, adapter_name=name, save_embedding_layers=False)
            self._check_keys(path, set(state), set(wanted))
            for key, value in state.items():
                if value.shape != wanted[key].shape:
                    raise ArtifactError(
                        f"{path}: {key} has shape {tuple(value.shape)}, the base has room for"
                        f" {tuple(wanted[key].shape)}"
                    )
            set_peft_model_state_dict(self._peft, state, adapter_name=name)
        except BaseException:
            if fresh:
                self._plain, self._peft = self._peft.unload(), None
            else:
                self._peft.delete_adapter(name)
            raise
        self._peft.eval()
        self._peft.requires_grad_(False)

    @staticmethod
    def _check_keys(path: Path, found: set[str], wanted: set[str]) -> None:
        if missing := sorted(wanted - found):
            raise ArtifactError(f"{path} lacks {len(missing)} weights the base needs, first {missing[0]}")
        if extra := sorted(found - wanted):
            raise ArtifactError(
                f"{path} has {len(extra)} weights the base has no place for, first {extra[0]}"
            )

    @contextmanager
    def active(self, name: str | None) -> Iterator[Any]:
        """The model with adapter ``name`` on, or the bare base for None; afterwards what was on before.

        May be nested: what runs between a batch's decoding steps uses an adapter of its own.

        Raises:
            LookupError: no such adapter is loaded.
        """
        if name is not None and name not in self._paths:
            raise LookupError(
                f"no adapter called {name!r} is loaded; there are: {', '.join(self._paths) or 'none'}"
            )
        before = self._on
        self._switch(name)
        try:
            yield self._plain
        finally:
            self._switch(before)

    def _switch(self, name: str | None) -> None:
        self._on = name
        if name is not None:
            self._peft.base_model.enable_adapter_layers()
            self._peft.set_adapter(name)
        elif self._peft is not None:
            self._peft.base_model.disable_adapter_layers()
