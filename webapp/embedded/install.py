"""`./run setup`: the virtual environment, complete or repaired, and nothing to do when nothing changed."""

import hashlib
import json
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from webapp.embedded import checks
from webapp.embedded.layout import Layout
from webapp.embedded.locks import held
from webapp.embedded.refusal import MISCONFIGURED, Refusal

TORCH = "torch==2.13.0"
REQUIREMENTS = ("web", "ml", "test")
STAMP = "whetstone-stamp.json"


def _files(layout: Layout) -> list[Path]:
    folder = layout.root / "requirements"
    return [folder / "constraints.txt", *(folder / f"{name}.txt" for name in REQUIREMENTS)]


def wanted_stamp(layout: Layout) -> dict[str, str]:
    """What a finished set-up looks like: the requirement files and the environment's Python."""
    digest = hashlib.sha256()
    for path in _files(layout):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return {"requirements": digest.hexdigest(), "python": _python_of(layout), "venv": str(layout.venv)}


def _python_of(layout: Layout) -> str:
    """The version of the environment's Python, "" if it does not start.

    It may differ from ours: several Pythons on PATH must not take turns in making the environment anew.
    """
    ask: list[str | Path] = [layout.python, "-I", "-S", "-c", "import sys; print(sys.version.split()[0])"]
    try:
        return subprocess.run(ask, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def is_complete(layout: Layout) -> bool:
    """True when the last set-up finished and nothing it depends on changed since."""
    try:
        stamp = json.loads((layout.venv / STAMP).read_text())
    except (OSError, ValueError):
        return False
    return bool(stamp == wanted_stamp(layout))


def has_nvidia_gpu() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def _say(text: str) -> None:
    print(f"set-up: {text}", flush=True)


def _run(argv: list[str | Path], layout: Layout) -> bool:
    return subprocess.run([str(a) for a in argv], cwd=layout.root, stdin=subprocess.DEVNULL).returncode == 0


def setup(layout: Layout, *, quiet: bool = False) -> None:
    """Make `.venv` hold exactly what the requirement files say."""
    if is_complete(layout):
        if not quiet:
            _say("nothing to do")
        return
    with held(layout.root / ".setup.lock", lambda: _say("another set-up is running, waiting for it")):
        if is_complete(layout):
            return
        _install(layout)


def _install(layout: Layout) -> None:
    checks.refuse_full_disk(layout.root, checks.FREE_BYTES_TO_SET_UP if not layout.venv.exists() else 2**29)
    (layout.venv / STAMP).unlink(missing_ok=True)
    _make_venv(layout)
    if repaired := _drop_half_installed(layout):
        _say(f"an earlier set-up did not finish; installing again: {', '.join(repaired)}")
    _install_torch(layout)
    _say("installing the other packages")
    files: list[str | Path] = []
    for name in REQUIREMENTS:
        files += ["-r", layout.root / "requirements" / f"{name}.txt"]
    what = ["-c", layout.root / "requirements" / "constraints.txt", *files]
    uv: list[str | Path] = [
        layout.venv / "bin" / "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        layout.python,
    ]
    if not _run([*uv, *what], layout):
        _say("uv could not; trying pip")
        if not _run([layout.python, "-m", "pip", "install", "--quiet", *what], layout):
            raise Refusal(
                "The packages could not be installed; the lines above say why. Running this again continues."
            )
    _refuse_gpu_packages(layout)
    part = layout.venv / f"{STAMP}.new"
    part.write_text(json.dumps(wanted_stamp(layout)) + "\n")
    part.replace(layout.venv / STAMP)
    _say("done")


def _make_venv(layout: Layout) -> None:
    """Create the virtual environment, or create it anew when it cannot even start."""
    if layout.venv.exists():
        check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
        works = layout.python.exists() and (
            subprocess.run([layout.python, "-c", check], capture_output=True, cwd=layout.root).returncode == 0
        )
        if works:
            return
        _say("the virtual environment does not work any more; making it anew")
        shutil.rmtree(layout.venv)
    _say(f"making a virtual environment with Python {platform.python_version()}")
    made = subprocess.run([sys.executable, "-m", "venv", str(layout.venv)], capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(layout.venv, ignore_errors=True)
        said = made.stdout + made.stderr
        if "No space left" in said:
            raise Refusal("The disk is full: the virtual environment could not be made.")
        if "ensurepip" in said or "No module named venv" in said:
            raise Refusal(
                "Python's venv module is missing: install it (on Debian: apt install python3-venv)."
            )
        raise Refusal(f"The virtual environment could not be made: {said.strip().splitlines()[-1:]}")


def _drop_half_installed(layout: Layout) -> list[str]:
    """Forget packages whose installation was cut off, so that the installer sees them as missing.

    Package files come first and the list of them (RECORD) last, so a cut-off package has no RECORD, or
    lacks listed files.
    """
    dropped = []
    for site in layout.site_packages():
        for info in sorted(site.glob("*.dist-info")):
            record = info / "RECORD"
            try:
                lines = record.read_text().splitlines()
                whole = all(
                    (site / line.rsplit(",", 2)[0].strip('"')).exists()
                    for line in lines
                    if ".pyc" not in line
                )
                whole = whole and bool(lines) and (info / "METADATA").exists()
            except OSError:
                whole = False
            if not whole:
                dropped.append(info.name.split("-")[0])
                shutil.rmtree(info)
        for leftover in site.glob("~*"):  # pip's name for a package it was replacing
            shutil.rmtree(leftover, ignore_errors=True)
    return dropped


def _version(layout: Layout, name: str) -> str | None:
    for found in metadata.distributions(name=name, path=[str(site) for site in layout.site_packages()]):
        return found.version
    return None


def _install_torch(layout: Layout) -> None:
    """torch comes first and by pip, which finds the build for this machine; uv does not."""
    wanted = TORCH.partition("==")[2]
    have = _version(layout, "torch")
    needed = [] if have and have.partition("+")[0] == wanted else [TORCH]
    if needed and not has_nvidia_gpu():
        _refuse_cuda_build(layout)
    if _version(layout, "uv") is None:
        needed.append("uv")
    if needed:
        _say(f"installing {' and '.join(needed)} (this is the long part)")
        if not _run([layout.python, "-m", "pip", "install", "--quiet", *needed], layout):
            raise Refusal(f"{' and '.join(needed)} could not be installed; the lines above say why.")


_NO_GPU = (
    "this machine has no NVIDIA GPU, but the package index offers torch with CUDA (several GB): point pip to "
    "PyTorch's CPU wheels with PIP_EXTRA_INDEX_URL, then run this again"
)


def _refuse_cuda_build(layout: Layout) -> None:
    """Ask pip what it would fetch, before gigabytes are fetched for a GPU that is not there."""
    ask: list[str | Path] = [
        layout.python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--dry-run",
        "--report",
        "-",
        TORCH,
    ]
    done = subprocess.run(ask, capture_output=True, text=True, cwd=layout.root)
    try:
        names = [item["metadata"]["name"] for item in json.loads(done.stdout)["install"]]
    except (ValueError, KeyError):
        return  # an old pip, or no network: the real installation will say
    if any(_is_gpu_package(name) for name in names):
        raise Refusal(f"Set-up stopped: {_NO_GPU}.", MISCONFIGURED)


def _is_gpu_package(name: str) -> bool:
    return name.lower().startswith("nvidia-") or name.lower() == "triton"


def _refuse_gpu_packages(layout: Layout) -> None:
    if has_nvidia_gpu():
        return
    sites = [str(site) for site in layout.site_packages()]
    found = sorted({name for d in metadata.distributions(path=sites) if _is_gpu_package(name := d.name)})
    if found:
        raise Refusal(
            f"Set-up stopped: {', '.join(found[:4])} arrived, but {_NO_GPU} (remove .venv first).",
            MISCONFIGURED,
        )
