"""The signing key of a self-hosted copy: made once, kept under var/, readable by its owner only."""

import os
import secrets
from pathlib import Path


def secret_key(var: Path) -> str:
    """Read var/secret_key, making it on first use. Safe when several processes start at once."""
    path = var / "secret_key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    var.mkdir(parents=True, exist_ok=True)
    mine = path.with_suffix(f".{os.getpid()}")
    mine.write_text(secrets.token_urlsafe(50))
    mine.chmod(0o600)
    try:
        os.link(mine, path)  # fails when another process was first: then its key is the key
    except FileExistsError:
        pass
    finally:
        mine.unlink()
    return path.read_text().strip()
