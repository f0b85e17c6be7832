"""LoRA adapters on one base model, by name. A scorer's has a head as well, which is kept beside the base: the
same base writes under one name and scores under another.

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
from workers.engines.scoring import Head

# What PEFT calls the head of a model that scores; it names both whichever there is.
HEADS = ("score", "classifier")


class AdapterTable:
    """Loads adapters into ``model`` (a plain transformers model) and switches between them."""

    def __init__(self, model: Any, base: str) -> None:
        self._plain, self._base = model, base
        self._peft: Any = None
        self._on: str | None = None  # the adapter in effect; None: the bare base
        self._paths: dict[str, Path] = {}
        self._heads: dict[str, Head] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._paths

    def load(self, name: str, path: Path) -> None:
        """Make the adapter in ``path`` answer to ``name``; a second call with the same pair does nothing.

        Raises:
            ArtifactError: the folder fails its manifest, was trained on another base, its weights are
                not exactly those the base has room for, or its head is of an unknown kind.
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
        state = load_file(path / "adapter_model.safetensors")
        head = None
        if own := [m for m in config.modules_to_save or () if m in HEADS]:
            head = self._head(path, state)
            config.modules_to_save = [m for m in config.modules_to_save if m not in own] or None
        fresh = self._peft is None
        if fresh:
            self._peft = PeftModel(self._plain, config, adapter_name=name)
        else:
            self._peft.add_adapter(name, config)
        try:
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
        if head is not None:
            self._heads[name] = head

    def _head(self, path: Path, state: dict[str, Any]) -> Head:
        """Takes the head out of an adapter's weights. Raises ArtifactError unless it gives one number."""
        weight = state.pop("base_model.model.score.weight", None)
        bias = state.pop("base_model.model.score.bias", None)
        size = self._plain.config.get_text_config(decoder=True).hidden_size
        one_number = weight is not None and tuple(weight.shape) == (1, size)
        if not one_number or (bias is not None and tuple(bias.shape) != (1,)):
            found = "none" if weight is None else f"one of shape {tuple(weight.shape)}"
            raise ArtifactError(f"{path}: a scorer needs a head of shape (1, {size}), this has {found}")
        bias = weight.new_zeros(1) if bias is None else bias
        return Head(weight[0].float().to(self._plain.device), bias[0].float().to(self._plain.device))

    def head(self, name: str) -> Head:
        """The head of a scorer.

        Raises:
            LookupError: no such adapter is loaded, or it is one that writes.
        """
        self._known(name)
        if name not in self._heads:
            raise LookupError(f"adapter {name!r} has no head: it writes, it does not score")
        return self._heads[name]

    def writer(self, name: str | None) -> None:
        """Raises LookupError where ``name`` is a scorer: what it would write nobody trained."""
        if name in self._heads:
            raise LookupError(f"adapter {name!r} is a scorer: it does not write")

    def merged(self, name: str) -> Any:
        """The base with the adapter ``name`` merged into its weights, as a plain model.

        This takes the base apart: the table is of no use afterwards.
        """
        self._known(name)
        return self._peft.merge_and_unload(safe_merge=True, adapter_names=[name])

    def _known(self, name: str) -> None:
        if name not in self._paths:
            raise LookupError(
                f"no adapter called {name!r} is loaded; there are: {', '.join(self._paths) or 'none'}"
            )

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
        if name is not None:
            self._known(name)
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
