"""The web server: uvicorn, in as many processes as use the cores, on one port.

``python -m webapp.serve --host H --port P``. Python runs one thread of a process at a time, so a second
process is what lets two people be answered at once. They are forked from one that has the application
loaded; it holds the port, starts anew whichever ends, and takes them along when it goes.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from types import FrameType

import uvicorn

PROCESSES = 2
GRACE = 2  # seconds; open event streams never end by themselves
_PR_SET_PDEATHSIG = 1
_ENDING = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    options = parser.parse_args()
    from webapp.asgi import application  # once, for all processes

    config = uvicorn.Config(
        application,
        host=options.host,
        port=options.port,
        access_log=False,
        timeout_graceful_shutdown=GRACE,
        lifespan="off",
    )
    with bound(options.host, options.port):  # not listening: it only keeps the port ours
        print(f"serving on {options.host} port {options.port}", file=sys.stderr, flush=True)
        sys.exit(Herd(config, options.processes).run())


def bound(host: str, port: int) -> socket.socket:
    """A socket on the address, beside others of ours. The kernel deals connections out among the listening
    ones; with one socket for all, whoever wakes first would take every connection of a burst."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host, port))
    made.set_inheritable(False)
    return made


class Herd:
    """The serving processes, kept alive until a signal says otherwise."""

    def __init__(self, config: uvicorn.Config, size: int) -> None:
        self.config, self.size = config, size
        self.children: set[int] = set()
        self.ending = False

    def run(self) -> int:
        for number in _ENDING:
            signal.signal(number, self._end)
        while self._complete():
            begun = time.monotonic()
            self._wait()
            if not self.ending and time.monotonic() - begun < 1:
                time.sleep(1)  # one that cannot even start must not be started in a busy loop
        self._pass_on()  # to one that was being started when the signal came, too
        while self.children:
            self._wait()
        return 0

    def _complete(self) -> bool:
        """Start those that are missing; false once a signal has come, of which they may not know."""
        while len(self.children) < self.size and not self.ending:
            self.children.add(self._fork())
        return not self.ending

    def _fork(self) -> int:
        parent = os.getpid()
        held = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # our handlers are not for a child
        child = os.fork()
        if child:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            return child
        try:
            for number in _ENDING:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            if sys.platform == "linux":  # a killed parent must not leave servers on the port
                ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() == parent:
                own = bound(self.config.host, self.config.port)
                uvicorn.Server(self.config).run(sockets=[own])
        finally:
            os._exit(0)

    def _wait(self) -> None:
        """Until one of them ends, or a signal comes."""
        try:
            child, _ = os.wait()
        except ChildProcessError:
            self.children.clear()
        else:
            self.children.discard(child)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self.ending = True
        self._pass_on()

    def _pass_on(self) -> None:
        for child in self.children:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(child, signal.SIGTERM)


if __name__ == "__main__":
    main()
