"""One child process that compares answers with math-verify, killed and restarted when it hangs."""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

LIMIT_SECONDS = 5.0
START_SECONDS = 60.0  # importing sympy on a busy machine
_ROOT = Path(__file__).resolve().parents[2]


class SymbolicComparer:
    """Sends one comparison at a time to the child; safe from any thread."""

    def __init__(self, limit: float = LIMIT_SECONDS, command: tuple[str, ...] = ()) -> None:
        self.limit = limit
        self.command = command or (sys.executable, "-m", "loop.verify._symbolic_child")
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._pid = 0  # of the process that started the child: after a fork the pipes are not ours

    def compare(self, stated: str, reference: str) -> tuple[bool | None, str]:
        """(equal, ""), or (None, why) when the child crashed or took longer than the limit."""
        with self._lock:
            try:
                child = self._started()
                line = json.dumps([stated, reference]).encode() + b"\n"
                assert child.stdin is not None
                child.stdin.write(line)
                child.stdin.flush()
                answer = self._answer(child, self.limit)
            except (OSError, ValueError) as error:
                self.stop()
                return None, f"the comparison could not be run: {error}"
            if answer is None:
                self.stop()
                return None, f"the comparison crashed or took longer than {self.limit:g} s"
            equal = answer.get("equal")
            return (equal if isinstance(equal, bool) else None), str(answer.get("error", ""))

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._pid == os.getpid() and self._child.poll() is None:
            return self._child
        path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
        self._child = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._pid = os.getpid()
        if self._answer(self._child, START_SECONDS) is None:
            raise OSError("math-verify did not start")
        return self._child

    @staticmethod
    def _answer(child: subprocess.Popen[bytes], limit: float) -> dict[str, object] | None:
        # The child writes one whole line at a time, far shorter than a pipe's atomic write.
        assert child.stdout is not None
        ready, _, _ = select.select([child.stdout], [], [], limit)
        line = child.stdout.readline() if ready else b""
        if not line:
            return None
        answer: dict[str, object] = json.loads(line)
        return answer

    def stop(self) -> None:
        child, self._child = self._child, None
        if child is None or self._pid != os.getpid():
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


_comparer = SymbolicComparer()
atexit.register(_comparer.stop)
compare = _comparer.compare
