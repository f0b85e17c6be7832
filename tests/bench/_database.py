"""A database of its own for a bench, on PostgreSQL as `up` runs it; and who uses how much of the machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from webapp.embedded.layout import ROOT, Layout
from webapp.embedded.postgres import Postgres

EVERY = 0.05  # seconds between looks at the memory


@contextmanager
def database() -> Iterator[Path]:
    """Yields a scratch folder; Django is set up against a migrated database."""
    folder = Path(tempfile.mkdtemp(prefix="whetstone-bench-"))
    folder.chmod(0o755)
    layout = Layout(ROOT, folder)
    layout.make()
    postgres = Postgres.of(layout)
    server = postgres.start(folder / "postgres.log", death_signal=signal.SIGQUIT)
    try:
        os.environ.update(WHETSTONE_VAR=str(folder), DATABASE_URL=postgres.url)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
        migrate = [sys.executable, ROOT / "manage.py", "migrate", "--no-input", "--skip-checks", "-v", "0"]
        subprocess.run(migrate, check=True, cwd=ROOT)
        import django

        django.setup()
        yield folder
    finally:
        postgres.stop()
        server.wait()
        for left in (postgres.sockets, postgres.data, folder):
            shutil.rmtree(left, ignore_errors=True)


def backend_cpu() -> float:
    """Seconds of processor time that this connection's server process has used."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


class Memory:
    """The most memory (bytes resident) of this process and its children while the block runs."""

    peak = 0

    def __enter__(self) -> Self:
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._over.wait(EVERY):
            own = os.getpid()
            self.peak = max(self.peak, sum(map(_resident, (own, *_children(own)))))


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
        except OSError:
            continue  # it has just ended
    return found


def _resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
