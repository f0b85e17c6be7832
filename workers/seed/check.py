"""Is the seed model's folder whole? Standard library only, so set-up can ask before torch is there."""

from __future__ import annotations

import hashlib
from pathlib import Path

MODEL_FOLDER = Path(__file__).parent / "model"
SUMS = "SHA256SUMS"
_FIX = (
    "Restore the folder with `git checkout -- workers/seed/model`, "
    "or make it anew with `python -m workers.seed.train`."
)


def verify_folder(folder: str | Path = MODEL_FOLDER) -> list[str]:
    """What is wrong with the folder, one plain sentence each; empty when every file is as it was made."""
    path = Path(folder)
    sums = path / SUMS
    if not sums.is_file():
        return [f"The seed model in {path} is incomplete: {SUMS} is missing. {_FIX}"]
    problems = []
    for number, line in enumerate(sums.read_text().splitlines(), 1):
        digest, _, name = line.partition("  ")
        if not name or len(digest) != 64:
            problems.append(f"Line {number} of {sums} is damaged. {_FIX}")
            continue
        file = path / name
        if not file.is_file():
            problems.append(f"The seed model's file {name} is missing from {path}. {_FIX}")
        elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            problems.append(
                f"The seed model's file {name} is damaged: its checksum is not the recorded one. {_FIX}"
            )
    return problems


def write_sums(folder: Path) -> None:
    """Record the checksum of every file of the folder."""
    files = sorted(f for f in folder.iterdir() if f.is_file() and f.name != SUMS)
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in files]
    (folder / SUMS).write_text("".join(lines))


if __name__ == "__main__":
    import sys

    found = verify_folder(*sys.argv[1:2])
    print("\n".join(found) or "The seed model is whole.")
    sys.exit(bool(found))
