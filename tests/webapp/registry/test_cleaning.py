"""Garbage collection on rows and files: dry by default, rows stay, what is wanted meanwhile is kept."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from loop.finetune.artifacts import store_adapter, write_manifest
from loop.stages import Status
from tests import factories as make
from tests.adapters import adapter_make
from webapp.iterations.models import WorkUnit
from webapp.iterations.services import storage_clean
from webapp.projects.models import AuditEvent
from webapp.registry.models import Evaluation, ModelVersion
from webapp.registry.selectors import RegistryError, adapter_folder
from webapp.registry.services import base_register, champion_roll_back, model_register
from webapp.registry.services.cleaning import folder_remove
from webapp.registry.signals import versions_needed

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=100)


@pytest.fixture(autouse=True)
def stores(tmp_path, settings):
    settings.ADAPTERS_DIR, settings.EXPORTS_DIR, settings.RUNS_DIR = (
        tmp_path / "adapters", tmp_path / "exports", tmp_path / "runs",
    )  # fmt: skip


@pytest.fixture
def project():
    made = make.project_make()
    base_register(project=made)
    return made


def aged(path, when=LONG_AGO):
    os.utime(path, (when.timestamp(), when.timestamp()))


@pytest.fixture
def version(project, tmp_path, settings):
    """Registers a version with real files, 100 days old."""
    numbers = iter(range(100))

    def one(status="held", fill=None, **values):
        folder = adapter_make(tmp_path / "new", fill=next(numbers) if fill is None else fill)
        (folder / "manifest.json").unlink(missing_ok=True)
        write_manifest(folder, {})
        sha, stored = store_adapter(folder, settings.ADAPTERS_DIR)
        aged(stored)
        values = {"project": project, **values}
        made = model_register(status=status, adapter_sha=sha, adapter_path=stored.name, **values)
        ModelVersion.objects.filter(pk=made.pk).update(created_at=LONG_AGO)
        return made

    return one


def names(spent):
    return [(s.kind, s.name) for s in spent]


def stored(settings):
    return {p.name for p in settings.ADAPTERS_DIR.iterdir()}


def test_dry_by_default_and_the_row_stays_when_it_goes(project, version, settings, capsys):
    held, champion = version(), version("champion")
    call_command("registry_clean", json=True)
    said = json.loads(capsys.readouterr().out)
    assert [s["name"] for s in said["spent"]] == [held.name]
    assert said["bytes"] == held.weights_bytes > 0
    assert len(stored(settings)) == 2
    call_command("registry_clean", delete=True)
    assert "0.0 MB removed" in capsys.readouterr().out
    assert stored(settings) == {champion.adapter_path}
    held.refresh_from_db()
    assert held.weights_removed_at is not None
    with pytest.raises(RegistryError, match=f"the weights of {held.name} were removed on"):
        adapter_folder(held)
    assert AuditEvent.objects.get(verb="weights removed").target == held.name
    call_command("registry_clean")
    assert "everything here is needed" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no project called"):
        call_command("registry_clean", project="nobody")


def test_what_may_be_needed_stays(project, version):
    pinned = {
        "challenger of an open iteration": version(),
        "scorer of a failed iteration": version(role="reward"),
        "being measured": version(),
        "what a run starts from": version(),
    }
    one, two, three, four = pinned.values()
    make.iteration_make(project, challenger=one)
    make.iteration_make(project, scorer=two, status=Status.FAILED.value)
    Evaluation.objects.create(model_version=three, split="heldout", prompts_sha="x", size=3)
    unit = WorkUnit.objects.create(
        project=project, stage="finetune", kind="train", queue="train", payload={"start_version_id": four.pk}
    )
    assert storage_clean(now=NOW, delete=True) == []
    unit.state = "done"
    unit.save()
    assert names(storage_clean(now=NOW, delete=True)) == [("weights", four.name)]


def test_a_project_may_keep_them_for_ever_or_shorter(project, version):
    held = version()
    project.keep_weights_days = None
    project.save()
    assert storage_clean(now=NOW, delete=True) == []
    project.keep_weights_days = 101
    project.save()
    assert storage_clean(now=NOW, delete=True) == []
    project.keep_weights_days = 99
    project.save()
    assert names(storage_clean(now=NOW, delete=False)) == [("weights", held.name)]


def test_files_of_another_project_are_kept_though_the_content_is_the_same(project, version, settings):
    version(fill=7.0)
    other = version("champion", fill=7.0, project=make.project_make())
    assert storage_clean(now=NOW, delete=True) == []
    assert stored(settings) == {other.adapter_path}


def test_when_open_work_cannot_be_asked_about_nothing_goes(project, version, settings):
    version()

    def broken(**_):
        raise RuntimeError("cannot say")

    versions_needed.connect(broken)
    try:
        with pytest.raises(RuntimeError):
            storage_clean(now=NOW, delete=True)
    finally:
        versions_needed.disconnect(broken)
    assert len(stored(settings)) == 1
    assert not ModelVersion.objects.exclude(weights_removed_at=None).exists()


def test_orphans_leftovers_exports_and_checkpoints(project, version, settings):
    kept = version("retired")
    for name, when in (("orphan", LONG_AGO), ("fresh", NOW), (".x.tmp", LONG_AGO), (".y.tmp", NOW)):
        (settings.ADAPTERS_DIR / name).mkdir()
        aged(settings.ADAPTERS_DIR / name, when)
    for name, when in (("old", LONG_AGO), ("new", NOW)):
        (settings.EXPORTS_DIR / name).mkdir(parents=True)
        aged(settings.EXPORTS_DIR / name, when)
    done = make.iteration_make(project, status=Status.DONE.value)
    stuck = make.iteration_make(project, status=Status.FAILED.value)
    for iteration, state in ((done, "done"), (stuck, "failed")):
        WorkUnit.objects.create(
            project=project, iteration=iteration, stage="finetune", kind="train", queue="train", state=state
        )
        folder = settings.RUNS_DIR / f"{project.slug}-{iteration.number}-{'0' * 16}"
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "log.txt").write_text("log")
        aged(folder)
    spent = storage_clean(now=NOW, delete=True)
    assert [s.kind for s in spent] == ["adapter", "leftover", "export", "run"]
    assert stored(settings) == {kept.adapter_path, "fresh", ".y.tmp"}
    assert [p.name for p in settings.EXPORTS_DIR.iterdir()] == ["new"]
    left = {
        p.relative_to(settings.RUNS_DIR).as_posix()[len(project.slug) + 1 :]
        for p in settings.RUNS_DIR.rglob("*")
    }
    assert left == {f"{done.number}-{'0' * 16}", f"{done.number}-{'0' * 16}/log.txt"} | {
        f"{stuck.number}-{'0' * 16}{rest}" for rest in ("", "/log.txt", "/checkpoints")
    }


def test_a_folder_wanted_between_rename_and_removal_comes_back(tmp_path):
    folder = adapter_make(tmp_path / "a")
    aged(folder)
    answers = iter([False, True])
    assert not folder_remove(folder, before=NOW, wanted=lambda: next(answers))
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert folder_remove(folder, before=NOW)
    assert list(tmp_path.iterdir()) == []
    assert not folder_remove(folder, before=NOW)


def test_storing_the_same_content_again_makes_it_young(tmp_path, settings):
    folder = adapter_make(tmp_path / "a")
    write_manifest(folder, {})
    aged(folder)
    _, stored_at = store_adapter(folder, settings.ADAPTERS_DIR)
    assert storage_clean(now=NOW, delete=True) == []  # though its source is old
    aged(stored_at)
    store_adapter(folder, settings.ADAPTERS_DIR)
    assert storage_clean(now=NOW, delete=True) == []
    aged(stored_at)
    assert names(storage_clean(now=NOW, delete=True)) == [("adapter", stored_at.name)]


def test_nobody_rolls_back_to_weights_that_are_gone(project, version):
    held = version("retired")
    ModelVersion.objects.filter(pk=held.pk).update(weights_removed_at=NOW)
    with pytest.raises(RegistryError, match="were removed on"):
        champion_roll_back(project=project, to=held, by=None, reason="x")
