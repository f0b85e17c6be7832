"""Adapters trained elsewhere: safetensors only, copied, verified, registered once per content."""

import json

import pytest
from django.core.management import CommandError, call_command

from tests import factories as make
from webapp.registry.services import RegistryError, adapter_import, base_register, version_hashes_check

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path, settings):
    settings.ADAPTERS_DIR = tmp_path / "adapters"
    adapter = tmp_path / "mine"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    return adapter


def test_it_is_copied_by_content_and_registered(folder, settings):
    project = make.project_make()
    version = adapter_import(project=project, folder=folder)
    copy = settings.ADAPTERS_DIR / version.adapter_path
    assert (copy / "adapter_model.safetensors").read_bytes() == b"weights"
    assert (copy / "manifest.json").is_file()
    assert not (folder / "manifest.json").exists()  # the original is left as it was
    again = adapter_import(project=project, folder=folder)
    assert (again.adapter_sha, again.name == version.name) == (version.adapter_sha, False)


@pytest.mark.parametrize("name", ["adapter_model.bin", "training_args.bin", "code.py", "weights.pt"])
def test_what_may_hold_code_is_refused_and_nothing_is_kept(folder, settings, name):
    (folder / name).write_bytes(b"x")
    with pytest.raises(RegistryError, match=name):
        adapter_import(project=make.project_make(), folder=folder)
    assert not settings.ADAPTERS_DIR.exists()


def test_a_damaged_adapter_is_refused(folder, settings):
    from loop.finetune.artifacts import write_manifest

    write_manifest(folder, {})
    (folder / "adapter_model.safetensors").write_bytes(b"other")
    with pytest.raises(RegistryError, match="sha256"):
        adapter_import(project=make.project_make(), folder=folder)


def test_the_command_says_what_is_wrong_with_exit_code_2(tmp_path, capsys):
    project = make.project_make()
    with pytest.raises(CommandError, match=r"no adapter_config\.json") as error:
        call_command("model_register", project=project.slug, adapter=tmp_path)
    assert error.value.returncode == 2


def test_the_command_reports_as_json(folder, capsys):
    call_command("model_register", project=make.project_make().slug, adapter=folder, json=True)
    assert json.loads(capsys.readouterr().out)["status"] == "registered"


def test_unknown_hashes_are_written_down_and_others_refused():
    version = base_register(project=make.project_make())
    version_hashes_check(version=version, hashes={"base_sha": "a" * 64, "template_sha": "t" * 64})
    version.refresh_from_db()
    assert version.base_sha == "a" * 64
    with pytest.raises(RegistryError, match="another base"):
        version_hashes_check(version=version, hashes={"base_sha": "b" * 64, "template_sha": "t" * 64})
