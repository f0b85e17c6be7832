"""Engines: what runs a model. `engine_for` picks one by how the base is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loop.model import Engine

OPENAI_PREFIX = "openai+"


def engine_for(base: str, adapters: Mapping[str, Path] | None = None, **options: Any) -> Engine:
    """The engine for ``base``: a folder or hub id runs here, ``openai+http://host:8000/v1#model`` elsewhere.

    ``options`` go to the engine. Raises FileNotFoundError or ValueError for a base that cannot be used.
    """
    if base.startswith(OPENAI_PREFIX):
        from workers.engines.openai_engine import OpenAIEngine

        return OpenAIEngine(base.removeprefix(OPENAI_PREFIX), adapters, **options)
    from workers.engines.transformers_engine import TransformersEngine

    engine: Engine = TransformersEngine(base, adapters, **options)
    return engine
