"""The serving processes end when they are told to, whenever that is."""

import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks")

TOLD_WHILE_FORKING = """
import os, signal, time
from types import SimpleNamespace
from webapp import serve

fork = os.fork

def told():
    child = fork()
    if child:
        os.kill(os.getpid(), signal.SIGTERM)  # arrives before the child is known
    return child

os.fork = told
serve.bound = lambda *_: time.sleep(60)  # in place of serving
print(serve.Herd(SimpleNamespace(host="", port=0), 2).run())
"""


def test_a_signal_that_comes_while_a_process_is_forked_is_not_lost():
    command = [sys.executable, "-c", TOLD_WHILE_FORKING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as herd:
        try:
            said, _ = herd.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(herd.pid, signal.SIGKILL)
            raise
    assert (said, herd.returncode) == ("0\n", 0)
