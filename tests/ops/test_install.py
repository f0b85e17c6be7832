"""Set-up: nothing to do when nothing changed, a half-finished one is repaired, two do not collide."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading

import pytest

from webapp.embedded import install
from webapp.embedded.layout import ROOT, Layout
from webapp.embedded.refusal import Refusal


@pytest.fixture
def checkout(tmp_path):
    """A checkout with requirement files and a virtual environment without any package."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    return Layout(tmp_path, tmp_path / "var")


@pytest.fixture
def installer(monkeypatch):
    """Stands in for pip and uv (there is no network here); records what it was asked."""
    asked = []

    def run(argv, layout):
        asked.append([str(a) for a in argv])
        return True

    monkeypatch.setattr(install, "_run", run)
    monkeypatch.setattr(install, "_make_venv", lambda layout: None)
    monkeypatch.setattr(install, "_refuse_cuda_build", lambda layout: None)
    monkeypatch.setattr(install, "has_nvidia_gpu", lambda: False)
    return asked


def plant(layout, name, version="1.0", *, record=True, file=True):
    """A package as an installer leaves it: whole, or cut off before its list of files."""
    site = layout.site_packages()[0]
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if file:
        (site / f"{name}.py").write_text("")
    if record:
        (info / "RECORD").write_text(f"{name}.py,,\n{name}-{version}.dist-info/METADATA,,\n")
    return info


def test_the_second_set_up_has_nothing_to_do(checkout, installer, capsys):
    install.setup(checkout)
    assert [argv[0].rsplit("/", 1)[1] for argv in installer] == [
        "python",
        "uv",
    ]  # torch by pip, the rest by uv
    assert "torch==2.13.0" in installer[0]
    installer.clear()
    capsys.readouterr()
    install.setup(checkout)
    assert installer == []
    assert capsys.readouterr().out == "set-up: nothing to do\n"


@pytest.mark.parametrize("changed", ["constraints", "web", "ml", "test"])
def test_a_changed_requirement_file_sets_up_again(checkout, installer, changed):
    install.setup(checkout)
    with (checkout.root / "requirements" / f"{changed}.txt").open("a") as file:
        file.write("# changed\n")
    assert not install.is_complete(checkout)


def test_another_python_sets_up_again(checkout, installer, monkeypatch):
    install.setup(checkout)
    monkeypatch.setattr(install, "_python_of", lambda layout: "3.99.0")
    assert not install.is_complete(checkout)


def test_an_interrupted_set_up_is_noticed_and_repaired(checkout, installer, capsys):
    whole, cut, gutted = (
        plant(checkout, "whole"),
        plant(checkout, "cut", record=False),
        plant(checkout, "gutted", file=False),
    )
    install.setup(checkout)
    assert "did not finish; installing again: cut, gutted" in capsys.readouterr().out
    assert whole.exists()
    assert not cut.exists()
    assert not gutted.exists()
    assert install.is_complete(checkout)


def test_torch_is_left_alone_when_its_version_fits(checkout, installer):
    plant(checkout, "torch", "2.13.0+cpu")
    plant(checkout, "uv")
    install.setup(checkout)
    assert [argv[0].rsplit("/", 1)[1] for argv in installer] == ["uv"]


def test_pip_takes_over_when_uv_fails(checkout, installer, monkeypatch):
    asked = []

    def run(argv, layout):
        asked.append(str(argv[0]).rsplit("/", 1)[1])
        return asked[-1] != "uv"

    monkeypatch.setattr(install, "_run", run)
    install.setup(checkout)
    assert asked == ["python", "uv", "python"]


def test_a_failed_installation_leaves_no_stamp(checkout, installer, monkeypatch):
    plant(checkout, "torch", "2.13.0")
    plant(checkout, "uv")
    monkeypatch.setattr(install, "_run", lambda argv, layout: False)
    with pytest.raises(Refusal, match="could not be installed"):
        install.setup(checkout)
    assert not install.is_complete(checkout)


@pytest.mark.parametrize("name", ["nvidia-cublas-cu12", "triton"])
def test_gpu_packages_without_a_gpu_are_refused(checkout, installer, name):
    plant(checkout, name)
    with pytest.raises(Refusal, match=f"{name} arrived, but this machine has no NVIDIA GPU"):
        install.setup(checkout)
    assert not install.is_complete(checkout)


def test_two_set_ups_do_not_collide(checkout, installer, capsys, eventually):
    with (checkout.root / ".setup.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = threading.Thread(target=install.setup, args=(checkout,))
        waiting.start()
        said = []
        eventually(lambda: said.append(capsys.readouterr().out) or "waiting for it" in "".join(said))
        assert installer == []
    waiting.join(10)
    assert install.is_complete(checkout)


def test_a_virtual_environment_that_cannot_start_is_made_anew(tmp_path):
    layout = Layout(tmp_path, tmp_path / "var")
    (layout.venv / "bin").mkdir(parents=True)
    layout.python.write_text("#!/bin/sh\nexit 1\n")
    layout.python.chmod(0o755)
    install._make_venv(layout)
    done = subprocess.run([layout.python, "-m", "pip", "--version"], capture_output=True)
    assert done.returncode == 0


def test_set_up_and_supervisor_import_nothing_that_must_be_installed_first():
    script = textwrap.dedent("""
        import sys
        before = set(sys.modules)
        from webapp.embedded import cli
        import json
        print(json.dumps([getattr(sys.modules[n], "__file__", None) for n in set(sys.modules) - before]))
    """)
    done = subprocess.run([sys.executable, "-S", "-c", script], cwd=ROOT, capture_output=True, text=True)
    files = [f for f in json.loads(done.stdout) if f]
    assert not [f for f in files if "site-packages" in f]
    assert any(f.endswith("embedded/cli.py") for f in files)


def test_nothing_to_do_is_quick(checkout, installer):
    """The whole command, Python's own start included, in well under a second."""
    run = checkout.root / "run"
    shutil.copy(ROOT / "run", run)
    shutil.copytree(ROOT / "webapp" / "embedded", checkout.root / "webapp" / "embedded")
    (checkout.root / "webapp" / "__init__.py").touch()
    install.setup(checkout)
    done = subprocess.run([sys.executable, run, "setup"], capture_output=True, text=True, env=os.environ)
    assert (done.returncode, done.stdout) == (0, "set-up: nothing to do\n")
