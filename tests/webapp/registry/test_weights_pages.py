"""Weights by browser: import, checks, exports, notes and how long weights are kept. Leads only."""

import io
import re
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from loop.finetune.artifacts import store_adapter, write_manifest
from tests import factories as make
from tests.adapters import adapter_make
from webapp.iterations.models import WorkUnit
from webapp.projects.models import AuditEvent, Role
from webapp.registry.models import ModelVersion
from webapp.registry.services import base_register, model_register

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def project(tmp_path, settings):
    settings.ADAPTERS_DIR, settings.EXPORTS_DIR = tmp_path / "adapters", tmp_path / "exports"
    made = make.project_make(slug="p")
    base_register(project=made)
    return made


@pytest.fixture
def lead(project, client):
    client.force_login(make.member_make(project, role=Role.LEAD), backend=BACKEND)
    return client


@pytest.fixture
def version(project, tmp_path, settings):
    folder = adapter_make(tmp_path / "mine")
    write_manifest(folder, {})
    sha, stored = store_adapter(folder, settings.ADAPTERS_DIR)
    return model_register(project=project, adapter_sha=sha, adapter_path=stored.name, status="challenger")


def at(name, *arguments):
    return reverse(name, args=["p", *arguments])


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def upload(folder):
    return [SimpleUploadedFile(p.name, p.read_bytes()) for p in sorted(folder.iterdir())]


def test_an_adapter_is_uploaded_and_waits_for_its_check(lead, tmp_path):
    assert "At most 2.0" in text_of(lead.get(at("model_import")))
    page = lead.post(
        at("model_import"),
        {"adapter": upload(adapter_make(tmp_path / "a")), "note": "From *Ann*."},
        follow=True,
    )
    version = ModelVersion.objects.get(number=2)
    assert (version.recipe, version.status, version.note) == ("imported", "registered", "From *Ann*.")
    assert "Being checked" in text_of(page)
    assert "Promote…" not in text_of(page)
    assert "From <em>Ann</em>." in text_of(page)
    unit = WorkUnit.objects.get(kind="inspect")
    assert unit.payload == {"version_id": version.pk}
    WorkUnit.objects.update(state="failed", error="ArtifactError: no room")
    page = text_of(lead.get(at("model", 2)))
    assert "It does not fit" in page
    assert "ArtifactError: no room" in page
    lead.post(at("model_check", 2))
    assert WorkUnit.objects.filter(kind="inspect", state="queued").count() == 1


def test_another_base_is_refused_until_the_box_is_ticked(lead, tmp_path):
    folder = adapter_make(tmp_path / "a", base="org/other")
    assert "I know it was trained on this base" not in text_of(lead.get(at("model_import")))
    page = lead.post(at("model_import"), {"adapter": upload(folder)})
    assert page.status_code == 422
    assert "names org/other as its base" in text_of(page)
    assert "I know it was trained on this base" in text_of(page)
    lead.post(at("model_import"), {"adapter": upload(folder), "trained_on_this_base": "on"})
    assert ModelVersion.objects.count() == 2


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([SimpleUploadedFile("adapter_model.bin", b"x")], "adapter_model.bin"),
        ([SimpleUploadedFile("a.zip", b"no zip")], "cannot be unpacked"),
        ([SimpleUploadedFile("adapter_config.json", b"{}")], "no adapter_model.safetensors"),
    ],
)
def test_what_is_not_taken_is_said_on_the_page(lead, files, says):
    page = lead.post(at("model_import"), {"adapter": files})
    assert page.status_code == 422
    assert says in text_of(page)
    assert not WorkUnit.objects.exists()


def test_the_adapter_comes_as_a_zip_file_with_its_card_and_goes_back_in(lead, version):
    response = lead.get(at("model_adapter", 2))
    content = b"".join(response.streaming_content)
    assert f'filename="{version.name}.zip"' in response["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == [
            "README.md", "adapter_config.json", "adapter_model.safetensors", "manifest.json",
        ]  # fmt: skip
        assert archive.read("README.md").decode().startswith("---\nbase_model: seed\n")
    lead.post(at("model_import"), {"adapter": [SimpleUploadedFile("back.zip", content)]})
    assert ModelVersion.objects.get(number=3).adapter_sha == version.adapter_sha


def test_a_merged_model_is_asked_for_and_downloaded(lead, version, settings):
    page = lead.get(at("model_merged", 2), follow=True)
    assert "There is no merged model of" in text_of(page)
    lead.post(at("model_merge", 2), {"dtype": "bfloat16"})
    unit = WorkUnit.objects.get(kind="export")
    assert (unit.payload, unit.queue) == ({"version_id": version.pk, "dtype": "bfloat16"}, "light")
    page = text_of(lead.get(at("model", 2)))
    assert "A worker merges base and adapter (bfloat16)" in page
    assert 'data-live="/events/' in page
    assert "base/live.js" in page
    asked = {"headers": {"HX-Request": "true"}}
    assert "data-finished" not in text_of(lead.get(at("model", 2), **asked))
    (settings.EXPORTS_DIR / "abc").mkdir(parents=True)
    (settings.EXPORTS_DIR / "abc" / "model.safetensors").write_bytes(b"w" * 9)
    WorkUnit.objects.update(state="done", result={"sha": "abc", "bytes": 9, "dtype": "bfloat16"})
    part = text_of(lead.get(at("model", 2), **asked))
    assert "data-finished" in part
    assert "<html" not in part
    page = text_of(lead.get(at("model", 2)))
    assert "Download the merged model" in page
    assert "base/live.js" not in page
    response = lead.get(at("model_merged", 2))
    with zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))) as archive:
        assert archive.read("model.safetensors") == b"w" * 9
        assert b"base_model_relation: finetune" in archive.read("README.md")
    (settings.EXPORTS_DIR / "abc" / "model.safetensors").unlink()
    (settings.EXPORTS_DIR / "abc").rmdir()
    assert "cleaned away since" in text_of(lead.get(at("model_merged", 2), follow=True))


def test_a_note_is_on_the_card_and_cannot_do_harm(lead, version):
    lead.post(at("model_note", 2), {"note": "**Good** at sums. <script>alert(1)</script>"})
    page = text_of(lead.get(at("model", 2)))
    assert "<strong>Good</strong> at sums." in page
    assert "<script>alert" not in page
    assert "**Good** at sums." in lead.get(at("model_card", 2)).content.decode()
    assert AuditEvent.objects.get(verb="model note written").target == version.name


def test_how_long_weights_are_kept(lead, project):
    for sent, kept in (("30", 30), ("", None), ("0", None), ("x", None)):
        lead.post(at("models_keep"), {"days": sent})
        project.refresh_from_db()
        assert project.keep_weights_days == kept


def test_others_may_look_and_take_the_card_only(client, project, version):
    client.force_login(make.member_make(project, role=Role.ANNOTATOR), backend=BACKEND)
    page = text_of(client.get(at("model", 2)))
    for offered in ("Download the adapter", "Merge", "Add a note", "Promote…"):
        assert offered not in page
    assert client.get(at("model_card", 2)).status_code == 200
    for name, *numbers in (("model_import",), ("model_adapter", 2), ("model_merged", 2)):
        assert client.get(at(name, *numbers)).status_code == 403
    for name, *numbers in (("model_note", 2), ("model_check", 2), ("model_merge", 2), ("models_keep",)):
        assert client.post(at(name, *numbers)).status_code == 403
