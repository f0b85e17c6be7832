"""The tiny models of `tests.workers.tiny`, made once per session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.workers.tiny import make_model

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("llama"), "llama")


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("qwen3"), "qwen3")


@pytest.fixture(scope="session", params=["llama", "qwen3"])
def base(request: pytest.FixtureRequest) -> Path:
    """Both tiny models, one after the other."""
    return Path(request.getfixturevalue(request.param))
