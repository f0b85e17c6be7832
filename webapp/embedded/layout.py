"""Where things lie on disk, for one checkout and one state folder."""

import contextlib
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from webapp.embedded.refusal import Refusal

ROOT = Path(__file__).resolve().parents[2]
SOCKET_PATH_LIMIT = 100  # bytes; Linux allows 107 and macOS 103 for a Unix socket's path
LONGEST_SOCKET_NAME = len("/whetstone-4294967295-01234567/.s.PGSQL.5432")


@dataclass(frozen=True)
class Layout:
    """`root` is the checkout, `var` the state folder (one per running Whetstone)."""

    root: Path
    var: Path

    @classmethod
    def here(cls, root: Path = ROOT) -> "Layout":
        """The checkout with the state folder that `WHETSTONE_VAR` names, else `var/` inside it."""
        chosen = os.environ.get("WHETSTONE_VAR")
        return cls(root=root, var=Path(chosen).expanduser().resolve() if chosen else root / "var")

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def log(self) -> Path:
        return self.var / "log"

    @property
    def run(self) -> Path:
        """Locks and the state file of the running supervisor."""
        return self.var / "run"

    @property
    def state_file(self) -> Path:
        return self.run / "state.json"

    @property
    def key(self) -> str:
        """Eight hex digits that tell this state folder's sockets from another checkout's."""
        return hashlib.sha256(str(self.var).encode()).hexdigest()[:8]

    def site_packages(self) -> list[Path]:
        """The virtual environment's package folders, found without starting its Python."""
        return sorted(self.venv.glob("lib/python3*/site-packages"))

    def make(self) -> None:
        for folder in (
            self.var,
            self.log,
            self.run,
            self.var / "static",
        ):  # WhiteNoise wants the last to exist
            folder.mkdir(parents=True, exist_ok=True)


def forget_sockets(folder: Path) -> None:
    """Remove the folder when the servers left nothing in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def socket_folder(layout: Layout, owner: int) -> Path:
    """Where the Unix sockets go: a short path, because it may not exceed about 100 bytes.

    The name is predictable so that every command of this checkout finds it.
    """
    base = Path(tempfile.gettempdir())
    if len(str(base)) + LONGEST_SOCKET_NAME > SOCKET_PATH_LIMIT:
        base = Path("/tmp")  # noqa: S108  make_private checks that the folder in it is ours
    return base / f"whetstone-{owner}-{layout.key}"


def make_private(folder: Path, owner: int) -> None:
    """Make the folder for `owner` (a uid) alone; never trust one that somebody else planted there."""
    try:
        folder.mkdir(mode=0o700)
        if owner != os.getuid():
            os.chown(folder, owner, -1)
    except FileExistsError:
        pass
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise Refusal(f"{folder} belongs to somebody else: remove it, it is only for Whetstone's sockets.")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)
