"""What is looked at before anything starts, each with one sentence when it is wrong."""

import contextlib
import importlib.util
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from webapp.embedded.layout import Layout
from webapp.embedded.refusal import MISCONFIGURED, Refusal

FREE_BYTES_TO_RUN = 300 * 2**20  # a fresh cluster, logs and the first adapters
FREE_BYTES_TO_SET_UP = 3 * 2**30  # torch and the rest are about 1.7 GB, twice while unpacking
DEFAULT_PORT = 8000

# Run by the virtual environment's Python, which has the drivers; prints nothing when all is well.
_ASK_DATABASE = """
import sys, psycopg
try:
    psycopg.connect(sys.argv[1], connect_timeout=5).close()
except Exception as error:
    text = " ".join(str(error).split())
    sys.exit(text or type(error).__name__)
"""
_ASK_BROKER = """
import sys, kombu
try:
    options = {"socket_connect_timeout": 5}
    with kombu.Connection(sys.argv[1], connect_timeout=5, transport_options=options) as c:
        c.ensure_connection(max_retries=1, timeout=6)
except Exception as error:
    sys.exit(" ".join(str(error).split()) or type(error).__name__)
"""


def address() -> tuple[str, int]:
    """Host and port from WHETSTONE_HOST and WHETSTONE_PORT."""
    text = os.environ.get("WHETSTONE_PORT", "") or str(DEFAULT_PORT)
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise Refusal(f"WHETSTONE_PORT is {text!r}: give a port number from 1 to 65535.", MISCONFIGURED)
    return os.environ.get("WHETSTONE_HOST") or "127.0.0.1", int(text)


def port_is_free(host: str, port: int) -> bool:
    """True when a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the web server does
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if isinstance(error, socket.gaierror):
                raise Refusal(f"WHETSTONE_HOST is {host!r}: no such address.", MISCONFIGURED) from None
            return False
    return True


def refuse_taken_port(host: str, port: int) -> None:
    if not port_is_free(host, port):
        raise Refusal(
            f"Port {port} on {host} is taken by another program: stop it, or choose another with "
            f"WHETSTONE_PORT={port + 1 if port < 65535 else 8001}."
        )


def any_free_port(host: str) -> int:
    """A port that the system just gave out."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def refuse_full_disk(folder: Path, needed: int) -> None:
    """`folder` may not exist yet: its nearest parent's disk is asked."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Refusal(
            f"Only {free / 2**20:,.0f} MB are free under {folder}, {needed / 2**20:,.0f} MB are needed: "
            "free some space, or set WHETSTONE_VAR to a folder on another disk."
        )


def _without_password(text: str) -> str:
    return re.sub(r"(//[^:/@\s]*):[^@\s]*@", r"\1:***@", text)


def _ask(layout: Layout, script: str, url: str) -> str:
    done = subprocess.run(
        [layout.python, "-c", script, url], capture_output=True, text=True, timeout=60, cwd=layout.root
    )
    return "" if done.returncode == 0 else _without_password(done.stderr.strip().splitlines()[-1][:300])


def refuse_bad_database(layout: Layout, url: str) -> None:
    """One sentence for a DATABASE_URL that cannot be used."""
    shown = _without_password(url)
    if urlsplit(url).scheme not in ("postgres", "postgresql"):
        raise Refusal(f"DATABASE_URL is {shown!r}: give a postgresql:// address.", MISCONFIGURED)
    if said := _ask(layout, _ASK_DATABASE, url):
        raise Refusal(f"DATABASE_URL {shown} does not work: {said}", MISCONFIGURED)


def refuse_bad_broker(layout: Layout, url: str) -> None:
    """One sentence for a REDIS_URL that cannot be used."""
    shown = _without_password(url)
    if urlsplit(url).scheme not in ("redis", "rediss", "redis+socket", "valkey", "valkeys"):
        raise Refusal(f"REDIS_URL is {shown!r}: give a redis:// address.", MISCONFIGURED)
    if said := _ask(layout, _ASK_BROKER, url):
        raise Refusal(f"REDIS_URL {shown} does not work: {said}", MISCONFIGURED)


def refuse_damaged_seed_model(root: Path) -> None:
    """Compare the seed model's files with their checksums."""
    source = root / "workers" / "seed" / "check.py"
    # Loaded by path: the package around it may import what is only in the virtual environment.
    spec = importlib.util.spec_from_file_location("_seed_check", source)
    if spec is None or spec.loader is None or not source.is_file():
        raise Refusal(f"The checkout is incomplete: {source} is missing.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if problems := module.verify_folder(root / "workers" / "seed" / "model"):
        raise Refusal(problems[0])


def address_answers(url: str, seconds: float = 2.0) -> bool:
    """True when a web server answers there, whatever it says."""
    parts = urlsplit(url)
    with (
        contextlib.suppress(OSError),
        socket.create_connection((parts.hostname, parts.port), seconds) as connection,
    ):
        connection.settimeout(10)
        connection.sendall(f"GET /healthz HTTP/1.0\r\nHost: {parts.hostname}\r\n\r\n".encode())
        return connection.recv(12).startswith(b"HTTP/1.")
    return False
