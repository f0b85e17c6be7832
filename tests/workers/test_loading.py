"""Loading a version: every file is the registry's, its adapter is in effect and says what it said before."""

import json
import shutil

import pytest

from loop.finetune.artifacts import ArtifactError, store_adapter, write_manifest
from loop.model import GenerateRequest
from loop.records import Message, Sampling
from tests import factories as make
from tests.workers.tiny import make_adapter
from webapp.registry.models import ModelVersion
from webapp.registry.selectors import RegistryError
from webapp.registry.services import base_register, champion_promote, champion_roll_back, model_register
from workers import models
from workers.engines.canary import canary_of
from workers.engines.hashes import base_sha

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("torch")]


@pytest.fixture(autouse=True)
def engines():
    models._engines.clear()
    models._checked.clear()
    yield
    models._engines.clear()
    models._checked.clear()


@pytest.fixture(scope="module")
def adapters(llama, tmp_path_factory):
    """Two different adapters on the tiny model."""
    folder = tmp_path_factory.mktemp("adapters")
    return [make_adapter(llama, folder / str(seed), seed=seed) for seed in (1, 2)]


@pytest.fixture
def project(llama, tmp_path, settings):
    settings.ADAPTERS_DIR = tmp_path / "adapters"
    made = make.project_make(base=str(llama))
    base_register(project=made)
    made.refresh_from_db()
    return made


def registered(project, folder, settings, **values):
    sha, stored = store_adapter(folder, settings.ADAPTERS_DIR)
    return model_register(
        project=project, adapter_sha=sha, adapter_path=stored.name, status="challenger", **values
    )


def load(version):
    """As a worker that has just begun."""
    models._checked.clear()
    models._engines.clear()
    return models.engine_with(ModelVersion.objects.get(pk=version.pk))


def test_the_first_load_notes_hashes_and_canary_and_later_loads_compare(project, adapters, settings):
    version = registered(project, adapters[0], settings)
    load(version)
    version.refresh_from_db()
    assert version.base_sha == base_sha(project.base)
    assert version.canary["values"] != version.canary["base"]
    assert (version.canary["device"], version.canary["dtype"]) == ("cpu", "float32")
    load(version)
    other = registered(project, adapters[1], settings)
    ModelVersion.objects.filter(pk=other.pk).update(canary=version.canary)
    with pytest.raises(RegistryError, match=rf"{other.name} does not say what was noted when it was first"):
        load(other)


def test_what_the_trainer_noted_counts_at_the_first_load(project, adapters, settings):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    engine = load(project.champion)
    plain = AutoModelForCausalLM.from_pretrained(project.base)
    noted = [canary_of(PeftModel.from_pretrained(plain, folder), engine.tokens) for folder in adapters[:1]]
    good = registered(project, adapters[0], settings, training={"canary": noted[0]})
    load(good)
    bad = registered(project, adapters[1], settings, training={"canary": noted[0]})
    with pytest.raises(RegistryError, match="noted by its trainer"):
        load(bad)


def test_a_flipped_byte_is_refused_and_the_file_named(project, adapters, settings):
    version = registered(project, adapters[0], settings)
    path = settings.ADAPTERS_DIR / version.adapter_path / "adapter_model.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"adapter_model\.safetensors is not what was written"):
        load(version)


def test_another_adapter_with_a_manifest_of_its_own_is_refused(project, adapters, settings):
    version = registered(project, adapters[0], settings)
    folder = settings.ADAPTERS_DIR / version.adapter_path
    shutil.rmtree(folder)
    shutil.copytree(adapters[1], folder)
    with pytest.raises(RegistryError, match=r"manifest\.json is not the one .* was registered with"):
        load(version)


def test_another_base_tokenizer_or_template_is_refused(project, adapters, settings, llama, tmp_path):
    version = registered(project, adapters[0], settings)
    load(version)
    moved = tmp_path / "base"
    shutil.copytree(llama, moved)
    config = json.loads((moved / "tokenizer_config.json").read_text())
    template = moved / "chat_template.jinja"
    if template.is_file():
        template.write_text(template.read_text() + " ")
    else:
        config["chat_template"] += " "
    (moved / "tokenizer_config.json").write_text(json.dumps(config))
    ModelVersion.objects.filter(pk=version.pk).update(base=str(moved))
    with pytest.raises(RegistryError, match="another template than"):
        load(version)


def test_an_adapter_of_another_base_is_refused(project, adapters, settings, tmp_path):
    shutil.copytree(adapters[0], tmp_path / "foreign")
    write_manifest(tmp_path / "foreign", {"base_sha": "0" * 64})
    with pytest.raises(ArtifactError, match="trained on another base model"):
        load(registered(project, tmp_path / "foreign", settings))


def test_a_scorers_canary_is_what_it_says_of_the_same_texts(project, adapters, settings, tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "scorer"
    shutil.copytree(adapters[0], folder)
    head = torch.full((1, 32), 0.05)
    weights = folder / "adapter_model.safetensors"
    save_file(load_file(weights) | {"base_model.model.score.weight": head}, weights)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(
        json.dumps(config | {"modules_to_save": ["score"], "task_type": "SEQ_CLS"})
    )
    write_manifest(folder, {"base_sha": base_sha(project.base)})
    for role, numbers in (("reward", [1, 1, 1]), ("process_reward", [1, 1, 2])):  # one text has two lines
        version = registered(project, folder, settings, role=role)
        load(version)
        version.refresh_from_db()
        assert version.canary["kind"] == "rewards"
        assert sorted(len(row) for row in version.canary["values"].values()) == numbers
        load(version)
        other = {k: [1 - x for x in row] for k, row in version.canary["values"].items()}
        ModelVersion.objects.filter(pk=version.pk).update(canary=version.canary | {"values": other})
        with pytest.raises(RegistryError, match="does not say what was noted"):
            load(version)


def test_weights_that_were_removed_are_said_to_be(project, adapters, settings):
    version = registered(project, adapters[0], settings)
    load(version)
    ModelVersion.objects.filter(pk=version.pk).update(weights_removed_at="2026-03-04T00:00:00Z")
    with pytest.raises(RegistryError, match="were removed on 2026-03-04 to save room"):
        load(version)


def test_a_roll_back_restores_the_same_text_bit_by_bit(project, adapters, settings):
    first, second = (registered(project, folder, settings) for folder in adapters)
    greedy = Sampling(temperature=0.0, max_new_tokens=16)

    def says():
        project.refresh_from_db()
        name = project.champion.adapter_name
        ask = GenerateRequest((Message("user", "What is 3 + 4?"),), greedy, (0,), adapter=name)
        (answer,) = load(project.champion).generate([ask])[0]
        return answer.token_ids, answer.logprobs

    said = [says()]
    for version in (first, second):
        champion_promote(project=project, version=version, reason="better")
        said.append(says())
    assert len({tokens for tokens, _ in said}) == 3
    champion_roll_back(project=project, to=first, by=None, reason="worse")
    assert says() == said[1]
    champion_roll_back(project=project, to=ModelVersion.objects.get(number=1), by=None, reason="worse")
    assert says() == said[0]
