"""Adapters trained elsewhere: safetensors only, copied, verified, of this base, out of use until loaded."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from loop.finetune.artifacts import write_manifest
from tests import factories as make
from tests.adapters import adapter_make
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import RegistryError
from webapp.registry.services import (
    OtherBase,
    adapter_import,
    base_register,
    champion_promote,
    upload_unpack,
    version_canary_check,
    version_hashes_check,
)
from webapp.registry.services.importing import same_base

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path, settings):
    settings.ADAPTERS_DIR = tmp_path / "adapters"
    return adapter_make(tmp_path / "mine")


def config(folder, **values):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


def test_it_is_copied_by_content_and_registered(folder, settings):
    project = make.project_make()
    (folder / "README.md").write_text("card")
    version = adapter_import(project=project, folder=folder, note="From Ann.")
    copy = settings.ADAPTERS_DIR / version.adapter_path
    assert {p.name for p in copy.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "manifest.json",
    }  # fmt: skip
    assert not (folder / "manifest.json").exists()  # the original is left as it was
    assert (version.note, version.role, version.status) == ("From Ann.", "policy", "registered")
    assert version.weights_bytes == sum(p.stat().st_size for p in copy.iterdir())
    again = adapter_import(project=project, folder=folder)
    assert (again.adapter_sha, again.name == version.name) == (version.adapter_sha, False)


def test_it_is_out_of_use_until_a_worker_has_loaded_it(folder):
    project = make.project_make()
    base_register(project=project)
    version = adapter_import(project=project, folder=folder)
    with pytest.raises(RegistryError, match="no worker has loaded it yet"):
        champion_promote(project=project, version=version, reason="good")
    version_canary_check(version=version, reading={"kind": "none", "values": {}})
    champion_promote(project=project, version=version, reason="good")


@pytest.mark.parametrize("name", ["adapter_model.bin", "training_args.bin", "code.py", "sub/weights.pt"])
def test_what_may_hold_code_is_refused_and_nothing_is_kept(folder, settings, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    with pytest.raises(RegistryError, match=name.rpartition("/")[2]):
        adapter_import(project=make.project_make(), folder=folder)
    assert not settings.ADAPTERS_DIR.exists()


def test_a_damaged_adapter_is_refused(folder):
    write_manifest(folder, {})
    content = bytearray((folder / "adapter_model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "adapter_model.safetensors").write_bytes(content)
    with pytest.raises(RegistryError, match=r"adapter_model\.safetensors is not what was written"):
        adapter_import(project=make.project_make(), folder=folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: (f / "adapter_config.json").unlink(), r"no adapter_config\.json"),
        (lambda f: (f / "adapter_config.json").write_text("[1]"), "peft_type None"),
        (lambda f: (f / "adapter_config.json").write_text("{"), "cannot be read"),
        (lambda f: config(f, r=float("nan")), "cannot be read"),
        (lambda f: config(f, target_modules=["a\0"]), "holds a NUL character"),
        (lambda f: config(f, base_model_name_or_path="\ud800"), "cannot be read"),
        (lambda f: config(f, peft_type="IA3"), "peft_type 'IA3'"),
        (lambda f: config(f, task_type="SEQ_2_SEQ_LM"), "task_type 'SEQ_2_SEQ_LM'"),
        (lambda f: (f / "adapter_model.safetensors").unlink(), r"no adapter_model\.safetensors"),
        (lambda f: (f / "adapter_model.safetensors").write_bytes(b"\x80pickle"), "not a safetensors file"),
        (lambda f: (f / "manifest.json").write_text("{}"), "cannot be read"),
    ],
)
def test_what_is_no_adapter_is_refused_with_a_word(folder, change, says):
    change(folder)
    with pytest.raises(RegistryError, match=says):
        adapter_import(project=make.project_make(), folder=folder)


@pytest.mark.parametrize(("task", "role"), [("SEQ_CLS", "reward"), ("TOKEN_CLS", "process_reward")])
def test_what_it_was_trained_for_is_its_role(folder, task, role):
    assert adapter_import(project=make.project_make(), folder=config(folder, task_type=task)).role == role


def test_a_scorer_of_steps_is_told_from_one_of_answers_by_its_objective(folder):
    write_manifest(config(folder, task_type="SEQ_CLS"), {"objective": "prm"})
    assert adapter_import(project=make.project_make(), folder=folder).role == "process_reward"


def test_another_base_is_refused_unless_somebody_knows_better(folder):
    project = make.project_make()
    with pytest.raises(OtherBase, match="names org/other as its base, and this project's is seed"):
        adapter_import(project=project, folder=config(folder, base_model_name_or_path="org/other"))
    with pytest.raises(OtherBase, match="does not say which base"):
        adapter_import(project=project, folder=config(folder, base_model_name_or_path=None))
    version = adapter_import(project=project, folder=folder, trained_on_this_base=True)
    assert version.training["base"] == ""


def test_the_hash_of_the_base_outweighs_its_name_and_nobody_knows_better(folder):
    project = make.project_make()
    version = base_register(project=project)
    ModelVersion.objects.filter(pk=version.pk).update(base_sha="a" * 64)
    config(folder, base_model_name_or_path="renamed")
    write_manifest(folder, {"base_sha": "a" * 64, "rows": 12, "final_loss": float("nan"), "finetune": "no"})
    taken = adapter_import(project=project, folder=folder)
    assert taken.base_sha == "a" * 64
    assert taken.training == {"base": "renamed", "lora": {"r": 2}, "rows": 12}  # only what can be believed
    write_manifest(folder, {"base_sha": "b" * 64})
    with pytest.raises(RegistryError, match="trained on other weights"):
        adapter_import(project=project, folder=folder, trained_on_this_base=True)


@pytest.mark.parametrize(
    ("named", "base", "same"),
    [
        ("org/Base-1", "org/base-1", True),
        ("/home/x/base-1", "org/Base-1", True),
        ("other/base-1", "org/base-1", False),
        ("base-2", "org/base-1", False),
        ("", "org/base-1", False),
        ("seed", "seed", True),
        ("model", "seed", True),
    ],
)
def test_ways_to_write_the_same_base(named, base, same):
    from webapp.registry.facts import base_name

    assert same_base(base_name(named), base) is same


def test_uploads_are_laid_out_as_a_folder(tmp_path, settings):
    files = [SimpleUploadedFile(n, b"x") for n in ("adapter_config.json", "README.md", "../manifest.json")]
    upload_unpack(files=files, into=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["adapter_config.json", "manifest.json"]
    with pytest.raises(RegistryError, match=r"holds a\.bin"):
        upload_unpack(files=[SimpleUploadedFile("a.bin", b"x")], into=tmp_path)
    settings.ADAPTER_UPLOAD_BYTES = 2
    with pytest.raises(RegistryError, match="larger than"):
        upload_unpack(files=files, into=tmp_path)


def test_unknown_hashes_are_written_down_and_others_refused():
    version = base_register(project=make.project_make())
    version_hashes_check(version=version, hashes={"base_sha": "a" * 64, "template_sha": "t" * 64})
    version.refresh_from_db()
    assert version.base_sha == "a" * 64
    with pytest.raises(RegistryError, match="another base"):
        version_hashes_check(version=version, hashes={"base_sha": "b" * 64, "template_sha": "t" * 64})
