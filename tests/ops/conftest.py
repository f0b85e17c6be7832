"""Small helpers of the tests that start and kill real programs."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from webapp.embedded.layout import ROOT, Layout


@pytest.fixture
def layout(var_folder) -> Layout:
    """This checkout's programs with a state folder of its own."""
    made = Layout(ROOT, var_folder)
    made.make()
    return made


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Poll until something is true; the test fails when it never becomes so."""

    def poll(done: Callable[[], Any], seconds: float = 10.0) -> Any:
        end = time.monotonic() + seconds
        while not (found := done()):
            assert time.monotonic() < end, "it never happened"
            time.sleep(0.01)
        return found

    return poll
