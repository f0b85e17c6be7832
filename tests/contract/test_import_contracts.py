"""The import contracts hold, and each fails on a planted violation: one that cannot fail says nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from webapp.embedded.layout import ROOT

LINT = Path(sys.executable).parent / "lint-imports"
IGNORED = shutil.ignore_patterns("__pycache__", "*.safetensors")

VIOLATIONS = {
    "loop-is-plain": ("loop/curate/planted.py", "from django.db import models\n"),
    "web-without-torch": ("webapp/traces/planted.py", "import torch\n"),
    "workers-without-pages": ("workers/planted.py", "import webapp.urls\n"),
    "workers-through-services": ("workers/planted.py", "from webapp.traces.models import *\n"),
    "methods-are-independent": ("loop/methods/planted.py", "from loop.methods import self_refine\n"),
    "apps-in-layers": ("webapp/accounts/planted.py", "from webapp.traces import models\n"),
    "set-up-needs-nothing": ("webapp/embedded/planted.py", "import psycopg\n"),
}


def lint(root, *options):
    return subprocess.run([LINT, "--no-cache", *options], cwd=root, capture_output=True, text=True)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The three packages and the contracts, in a folder of their own."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", root)
    for package in ("loop", "webapp", "workers"):
        shutil.copytree(ROOT / package, root / package, ignore=IGNORED)
    return root


def test_the_contracts_hold():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_planted_violation_is_found(copy, contract):
    path, line = VIOLATIONS[contract]
    planted = copy / path
    planted.write_text(line)
    try:
        done = lint(copy, "--contract", contract)
    finally:
        planted.unlink()
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout
    assert "planted" in done.stdout
