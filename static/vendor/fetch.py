"""Fetch the vendored browser libraries from npm and record their sha256.

    python static/vendor/fetch.py            fetch everything in PACKAGES, rewrite sha256.txt
    python static/vendor/fetch.py --check    compare the files here with sha256.txt (needs no network)

Nothing on a page comes from another host, so a new version is a change of this table, one run, one commit.
"""

import fnmatch
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUMS = HERE / "sha256.txt"

# (npm name, version, our folder) -> files taken from the package; a folder below dist/ is kept
PACKAGES: dict[tuple[str, str, str], list[str]] = {
    ("htmx.org", "4.0.1", "htmx-4.0.1"): ["dist/htmx.min.js", "LICENSE"],
    # Every browser that runs these pages reads woff2: the style sheet's other formats are never asked for.
    ("katex", "0.19.1", "katex-0.19.1"): [
        "dist/katex.min.js",
        "dist/katex.min.css",
        "dist/fonts/*.woff2",
        "LICENSE",
    ],
    ("uplot", "1.6.32", "uplot-1.6.32"): ["dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE"],
}


def sums() -> dict[str, str]:
    """sha256 of every vendored file, by path relative to this folder."""
    files = sorted(p for p in HERE.rglob("*") if p.is_file() and p.parent != HERE)
    return {str(p.relative_to(HERE)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def recorded() -> dict[str, str]:
    lines = SUMS.read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def fetch() -> None:
    for (name, version, folder), files in PACKAGES.items():
        with tempfile.TemporaryDirectory() as temporary:
            subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=temporary, check=True)
            archive = next(Path(temporary).glob("*.tgz"))
            with tarfile.open(archive) as tar:
                for pattern in files:
                    found = fnmatch.filter(tar.getnames(), f"package/{pattern}")
                    assert found, f"{name}@{version} has no {pattern}"
                    for file in found:
                        member = tar.extractfile(file)
                        assert member is not None, f"{file} of {name}@{version} is no file"
                        kept = HERE / folder / file.removeprefix("package/").removeprefix("dist/")
                        kept.parent.mkdir(parents=True, exist_ok=True)
                        kept.write_bytes(member.read())
    SUMS.write_text("".join(f"{digest}  {name}\n" for name, digest in sums().items()))


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(
            0 if sums() == recorded() else "static/vendor differs from sha256.txt: run static/vendor/fetch.py"
        )
    fetch()
