"""Imports are loaded before they count; a merged model says what base and adapter say together."""

import io
import json
import zipfile

import pytest
from django.core.management import CommandError, call_command

from loop.finetune.artifacts import store_adapter, verify, write_manifest
from loop.model import GenerateRequest
from loop.records import Message, Sampling
from tests import factories as make
from tests.adapters import adapter_make
from tests.workers.tiny import make_adapter
from webapp.iterations.models import WorkUnit
from webapp.iterations.services import adapter_inspect, model_merge, unit_claim
from webapp.registry import exports
from webapp.registry.archive import unzip_adapter
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import RegistryError, unusable
from webapp.registry.services import adapter_import, base_register, model_register
from workers import models
from workers.engines.hashes import base_sha
from workers.engines.transformers_engine import TransformersEngine
from workers.merge import main as merge_main
from workers.stages import export
from workers.tasks import work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("torch")]


@pytest.fixture(autouse=True)
def here(tmp_path, settings, monkeypatch):
    settings.ADAPTERS_DIR, settings.EXPORTS_DIR = tmp_path / "adapters", tmp_path / "exports"

    def merge(base, adapter, target, dtype, lease):
        """In this process: a fresh one would spend seconds importing."""
        if merge_main([base, str(adapter), str(target), dtype]):
            raise RegistryError("merging failed")

    monkeypatch.setattr(export, "_merge", merge)
    models._engines.clear()
    models._checked.clear()
    yield
    models._engines.clear()
    models._checked.clear()


@pytest.fixture
def version(llama, tmp_path, settings):
    project = make.project_make(base=str(llama))
    base_register(project=project)
    folder = make_adapter(llama, tmp_path / "a", seed=1)
    (folder / "README.md").unlink()  # as the trainer does with what PEFT writes of its own accord
    write_manifest(folder, {"base_sha": base_sha(str(llama))})
    sha, stored = store_adapter(folder, settings.ADAPTERS_DIR)
    return model_register(project=project, adapter_sha=sha, adapter_path=stored.name, status="challenger")


def do(unit):
    claimed = unit_claim(queue=unit.queue)
    assert claimed.pk == unit.pk
    work(claimed.pk, claimed.token, claimed.kind)
    unit.refresh_from_db()
    return unit


def greedy(engine, adapter=None):
    sampling = Sampling(temperature=0.0, max_new_tokens=24)
    asks = [
        GenerateRequest((Message("user", text),), sampling, (0,), adapter=adapter)
        for text in ("What is 3 + 4?", "Ann has 12 apples.")
    ]
    return [answers[0].text for answers in engine.generate(asks)]


def test_a_merged_model_says_what_base_and_adapter_say(version, llama, settings, tmp_path):
    unit = do(model_merge(version=version, precision="float32", by=None))
    assert (unit.state, unit.error) == ("done", "")
    folder = exports.merged_folder(unit.result["sha"])
    assert verify(folder) == []
    engine = TransformersEngine(str(llama), {"a": settings.ADAPTERS_DIR / version.adapter_path}, device="cpu")
    said = greedy(engine, "a")
    assert said != greedy(engine)
    with zipfile.ZipFile(io.BytesIO(b"".join(exports.merged_zip(version, folder)))) as archive:
        archive.extractall(tmp_path / "out")
    assert greedy(TransformersEngine(str(tmp_path / "out"), device="cpu")) == said
    assert "base_model_relation: finetune" in (tmp_path / "out" / "README.md").read_text()
    # The same content has the same name, however often it is asked for.
    again = do(model_merge(version=version, precision="float32", by=None))
    assert again.result["sha"] == unit.result["sha"]
    assert len(list(settings.EXPORTS_DIR.iterdir())) == 1


def test_who_asks_twice_gets_one_unit_and_who_cannot_be_merged_is_told(version):
    unit = model_merge(version=version, precision="float32", by=None)
    assert model_merge(version=version, precision="float32", by=None) == unit
    assert model_merge(version=version, precision="bfloat16", by=None) != unit
    base = ModelVersion.objects.get(project=version.project, number=1)
    with pytest.raises(RegistryError, match="nothing to merge"):
        model_merge(version=base, precision="float32", by=None)


def test_an_exported_adapter_comes_back_the_same_and_is_checked_by_a_worker(version, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"".join(exports.adapter_zip(version)))
    (tmp_path / "back").mkdir()
    unzip_adapter(tmp_path / "a.zip", tmp_path / "back", 1 << 30)
    back = adapter_import(project=version.project, folder=tmp_path / "back", trained_on_this_base=True)
    assert back.adapter_sha == version.adapter_sha
    assert "no worker has loaded it" in unusable(back)
    unit = do(adapter_inspect(version=back, by=None))
    back.refresh_from_db()
    assert (unit.state, unusable(back)) == ("done", "")
    assert back.canary["values"]
    assert back.tokenizer_sha


def test_an_adapter_without_a_place_in_the_base_stays_out_of_use(version, tmp_path):
    folder = adapter_make(
        tmp_path / "foreign", base=version.project.base, r=4, lora_alpha=8, target_modules=["q_proj"]
    )
    foreign = adapter_import(project=version.project, folder=folder)
    unit = do(adapter_inspect(version=foreign, by=None))
    foreign.refresh_from_db()
    assert unit.state == "failed"
    assert "weights the base needs" in unit.error
    assert unusable(foreign)


def test_a_damaged_adapter_is_not_exported(version, settings):
    path = settings.ADAPTERS_DIR / version.adapter_path / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RegistryError, match=r"adapter_model\.safetensors"):
        exports.adapter_zip(version)


def test_the_commands(version, tmp_path, capsys, llama):
    call_command("model_export", version.name, out=tmp_path / "x.zip", json=True)
    assert json.loads(capsys.readouterr().out)["bytes"] == (tmp_path / "x.zip").stat().st_size
    with pytest.raises(CommandError, match="no model called nobody"):
        call_command("model_export", "nobody")
    outside = adapter_make(tmp_path / "o", base="org/other")
    with pytest.raises(CommandError, match=r"names org/other .*--trained-on-this-base"):
        call_command("model_register", project=version.project.slug, adapter=outside)
    call_command(
        "model_register", project=version.project.slug, adapter=outside, trained_on_this_base=True, json=True
    )
    assert json.loads(capsys.readouterr().out)["status"] == "registered"
    assert WorkUnit.objects.filter(kind="inspect", state="queued").count() == 1
