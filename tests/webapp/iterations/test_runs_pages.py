"""The pages of training runs: what they show in each state, who may steer, how a run is started."""

import csv
import io
import re

import pytest
from django.template.loader import render_to_string
from django.urls import reverse

from loop.recipe_parts import FinetunePart
from tests import factories as make
from tests.stories import past_make
from webapp.curate.models import DatasetVersion
from webapp.iterations import preview_page
from webapp.iterations import runs_page as page
from webapp.iterations.models import RunPoint, WorkUnit
from webapp.iterations.run_forms import RunForm
from webapp.iterations.services.runs import preview_start, run_start
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def past(client):
    past = past_make(tasks=0)
    client.force_login(past.lead, backend=BACKEND)
    return past


def dataset_make(project, rows=40, **kinds):
    number = project.dataset_versions.count() + 1
    return DatasetVersion.objects.create(
        project=project, number=number, sha256=f"{number:064x}", row_count=rows, example_ids=[],
        manifest={"kinds": kinds or {"sample": rows}},
    )  # fmt: skip


@pytest.fixture
def run(past):
    return run_start(
        project=past.project, dataset=dataset_make(past.project), finetune=FinetunePart(), start=past.better,
        seed=3, by=past.lead,
    )  # fmt: skip


def trained(unit, losses, **columns):
    RunPoint.objects.bulk_create(
        RunPoint(unit=unit, step=i, total_steps=len(losses), loss=loss, seconds=i, **columns)
        for i, loss in enumerate(losses, 1)
    )


def text_of(response):
    return re.sub(r"[ \n]+", " ", response.content.decode())


def at(past, name, *more):
    return reverse(name, args=[past.project.slug, *more])


def test_the_list_in_a_fixed_number_of_queries(client, past, run, django_assert_num_queries):
    for _ in range(3):
        trained(run_start(project=past.project, dataset=dataset_make(past.project), finetune=FinetunePart(),
                          start=None, seed=0, by=past.lead), [1.0])  # fmt: skip
    with django_assert_num_queries(10):  # of them the page: count, runs, datasets, versions
        shown = text_of(client.get(at(past, "runs")))
    assert shown.count("waiting for a worker") == 4
    assert f"{past.project.slug}-run-1" in shown
    assert f"{past.project.slug}-1" in shown  # the iteration's
    fragment = client.get(at(past, "runs"), headers={"HX-Request": "true"}).content.decode()
    assert fragment.lstrip().startswith("<div")


def test_a_run_in_a_fixed_number_of_queries_however_long(client, past, run, django_assert_num_queries):
    trained(run, [2.0 - i / 100 for i in range(100)], padding_share=0.25, mfu=0.4, extra={"margin": 0.5})
    WorkUnit.objects.filter(pk=run.pk).update(
        state="running", done=100, total=120,
        progress={"loss": 1.01, "tokens_per_s": 12345, "mfu": 0.4, "time_left_s": 75},
    )  # fmt: skip
    with django_assert_num_queries(12):
        shown = text_of(client.get(at(past, "run", run.pk)))
    assert "step 100 of 120 · about 1 min 15 s left" in shown
    assert "The loss fell from 2 to 1.01 in 100 steps." in shown
    assert "12\u202f345" in shown
    assert "40.0\u202f%" in shown
    assert "16 of 100 points, evenly spaced" in shown
    assert "0.001" in shown  # a frozen setting
    assert 'data-live="/events/' in shown
    assert f'href="{at(past, "model", past.better.number)}"' in shown  # where it starts


@pytest.mark.parametrize(
    ("losses", "sentence"),
    [
        ([0.5], "The loss is 0.5 after step 1."),
        ([2.1, 1.0, 0.4], "The loss fell from 2.1 to 0.4 in 3 steps."),
        ([0.4, 0.8], "The loss rose from 0.4 to 0.8 in 2 steps."),
        ([0.5, 0.7, 0.501], "The loss stayed at about 0.501 over 3 steps."),
        ([None, None], "No loss was measured yet."),
    ],
)
def test_what_the_curve_says(losses, sentence):
    points = [RunPoint(step=i, loss=loss) for i, loss in enumerate(losses, 1)]
    assert page.sentence_of(points) == sentence


def test_the_table_is_sampled_from_end_to_end(run):
    trained(run, [float(n) for n in range(1, 102)])
    twin = page.twin_of(run)
    assert (twin.points, len(twin.rows), twin.rows[0][0], twin.rows[-1][0]) == (101, 16, 1, 101)
    assert twin.columns == ["Loss"]


def test_points_are_columns_and_thinned(client, past, run, monkeypatch):
    trained(run, [3.0, 2.0, 1.0, 0.5], extra={"accuracy": 0.9})
    points = client.get(at(past, "run_points", run.pk)).json()
    assert points["steps"] == [1, 2, 3, 4]
    assert points["columns"] == {"loss": [3.0, 2.0, 1.0, 0.5], "accuracy": [0.9] * 4}
    assert points["shares"] == ["accuracy"]
    assert client.get(at(past, "run_points", run.pk), {"after": 3}).json()["steps"] == [4]
    assert client.get(at(past, "run_points", run.pk), {"after": "x"}).status_code == 404
    monkeypatch.setattr(page, "MOST_POINTS", 2)
    assert page.curve_of(run)["steps"] == [1, 3, 4]  # the last is always there


def test_the_curve_as_a_file(client, past, run):
    trained(run, [3.0, 2.0], extra={"margin": 0.25})
    reply = client.get(at(past, "run_csv", run.pk))
    assert reply["Content-Disposition"] == f'attachment; filename="{past.project.slug}-run-1-curve.csv"'
    rows = list(csv.DictReader(io.StringIO(reply.content.decode())))
    assert [(r["step"], r["loss"], r["margin"], r["mfu"]) for r in rows] == [
        ("1", "3.0", "0.25", ""),
        ("2", "2.0", "0.25", ""),
    ]


def test_buttons_steer_and_a_failed_one_shows_the_end_of_its_log(client, past, run, settings, tmp_path):
    def act(name):
        return text_of(client.post(at(past, "run_act", run.pk, name), follow=True))

    assert "‖ paused" in act("pause")
    assert "can be paused" in act("pause")
    assert "◐ waiting for a worker" in act("resume")
    assert "Retry from the last checkpoint" in act("cancel")
    assert "◐ waiting for a worker" in act("retry")
    assert client.post(at(past, "run_act", run.pk, "explode")).status_code == 404
    assert client.get(at(past, "run_act", run.pk, "pause")).status_code == 405
    settings.RUNS_DIR = tmp_path
    folder = tmp_path / f"{past.project.slug}-run-1-{'0' * 16}"
    folder.mkdir()
    (folder / "log.txt").write_text("first line\n" + "x" * 7000 + "\nout of <memory>\n")
    WorkUnit.objects.filter(pk=run.pk).update(state="failed", error="the trainer died")
    shown = text_of(client.get(at(past, "run", run.pk)))
    assert "the trainer died" in shown
    assert "out of &lt;memory&gt;" in shown
    assert "first line" not in shown


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANNOTATOR])
def test_others_look_and_do_nothing(client, past, run, role):
    client.force_login(make.member_make(past.project, role=role), backend=BACKEND)
    assert "Pause" not in text_of(client.get(at(past, "run", run.pk)))
    assert "Start a run" not in text_of(client.get(at(past, "runs")))
    assert client.post(at(past, "run_act", run.pk, "pause")).status_code == 403
    assert client.get(at(past, "run_new")).status_code == 403
    assert client.get(at(past, "run_preview", run.pk)).status_code == 403


def test_outsiders_and_other_projects_runs_are_not_found(client, past, run):
    other = past_make(tasks=0)
    assert client.get(reverse("run", args=[past.project.slug, other.done.units.get().pk])).status_code == 404
    client.force_login(other.lead, backend=BACKEND)
    assert client.get(at(past, "run", run.pk)).status_code == 404


# ---- starting one ----------------------------------------------------------------------------------------


def form_of(past, **kinds):
    return RunForm(project=past.project, dataset=dataset_make(past.project, **kinds))


def test_the_form_offers_only_what_can_train_the_rows(past):
    assert list(form_of(past, sample=3).objectives) == ["sft"]
    assert list(form_of(past, step_pair=3).objectives) == ["dpo"]
    assert list(form_of(past, preference=3).objectives) == ["dpo", "reward"]
    assert not form_of(past, sample=3, preference=3).objectives
    assert "beta" not in form_of(past, sample=3).fields  # dpo's and kto's
    pairs = form_of(past, preference=3)
    assert pairs["beta"].field.initial == 0.1
    assert "packing" not in pairs.fields  # sft's
    assert pairs["beta"].help_text == "Dpo, kto: strength of the pull to the reference"


@pytest.fixture
def settings_in():
    form = {"objective": "sft", "start": "base", "seed": "5", "epochs": "3", "learning_rate": "0.002"}
    return {
        **form,
        "batch_size": "8",
        "grad_accum": "1",
        "max_length": "512",
        "lora_rank": "8",
        "lora_alpha": "16",
    }


def previewed(past, **result):
    preview = WorkUnit.objects.get(kind="preview")
    rows = [
        {
            "kind": "sample", "tokens": 9, "weight": 1.0, "side": "",
            "pieces": [["What is <2 + 2>?", "context"], ["4", "trained"], ["</s>", "end"]],
        }
    ]  # fmt: skip
    preview.state = "done"
    preview.result = {"rows": rows, "dropped": {"too_long": 2}, "ends_trained": 1, **result}
    preview.save()


def test_from_settings_by_way_of_the_preview_to_a_run(client, past, settings_in):
    dataset = dataset_make(past.project)
    address = f"{at(past, 'run_new')}?dataset={dataset.number}"
    assert "Preview what would be trained" in text_of(client.get(address))
    reply = client.post(address, {**settings_in, "do": "start"})
    assert reply.status_code == 422
    assert "Look first at what would be trained" in text_of(reply)

    reply = client.post(address, {**settings_in, "do": "preview"})
    preview = WorkUnit.objects.get(kind="preview")
    assert (preview.payload["dataset_id"], preview.payload["finetune"]["epochs"]) == (dataset.pk, 3)
    waiting = text_of(client.get(reply["Location"]))
    assert "Waiting for a model worker" in waiting
    assert 'value="0.002"' in waiting  # the settings are in the address
    assert 'value="start"' not in waiting
    assert b"data-finished" not in client.get(at(past, "run_preview", preview.pk)).content
    previewed(past)
    assert b"data-finished" in client.get(at(past, "run_preview", preview.pk)).content
    shown = text_of(client.get(reply["Location"]))
    assert '<span class="span trained"><span class="span-sign">learned</span>4</span>' in shown
    assert "&lt;2 + 2&gt;" in shown
    assert "2 too long" in shown
    assert "Rows that learn to end" in shown

    changed = client.post(address, {**settings_in, "epochs": "4", "preview": preview.pk, "do": "start"})
    assert "have no preview yet" in text_of(changed)
    started = client.post(address, {**settings_in, "preview": preview.pk, "do": "start"})
    unit = WorkUnit.objects.filter(kind="train", iteration=None).get()
    assert started["Location"] == at(past, "run", unit.pk)
    assert (unit.payload["seed"], unit.payload["finetune"]["learning_rate"]) == (5, 0.002)
    assert unit.asked_by == past.lead


def test_a_step_shows_the_label_it_learns_and_a_scorer_no_end(client, past):
    unit = preview_start(
        project=past.project, dataset=dataset_make(past.project), finetune=FinetunePart(), by=past.lead
    )
    unit.payload["finetune"]["objective"] = "prm"
    pieces = [["2", "context"], ["+2", "good"], ["=5", "wrong"], ["!", "0.38"]]
    rows = [{"kind": "step_labels", "tokens": 9, "side": "chosen", "pieces": pieces}]
    unit.state, unit.result = "done", {"rows": rows, "ends_trained": 0}
    shown = preview_page.shown_of(unit)
    assert shown.rows[0].pieces[1:] == [
        ("+2", "good", "+ good"), ("=5", "wrong", "− wrong"), ("!", "partly", "± 38 % good"),
    ]  # fmt: skip
    text = render_to_string("runs/spans.html", {"shown": shown})
    assert '<span class="span wrong"><span class="span-sign">− wrong</span>=5</span>' in text
    assert "Rows that learn to end" not in text
    assert "the end token, learned" not in text


def test_what_would_train_no_end_is_refused_before_the_start(client, past, settings_in):
    dataset = dataset_make(past.project)
    address = f"{at(past, 'run_new')}?dataset={dataset.number}"
    reply = client.post(address, {**settings_in, "do": "preview"})
    previewed(past, refusal="No row would teach the model to end.")
    shown = text_of(client.get(reply["Location"]))
    assert "No row would teach the model to end." in shown
    assert 'value="start"' not in shown
    preview = WorkUnit.objects.get(kind="preview")
    refused = client.post(address, {**settings_in, "preview": preview.pk, "do": "start"})
    assert refused.status_code == 422
    assert not WorkUnit.objects.filter(kind="train", iteration=None).exists()


def test_settings_out_of_range_are_refused_at_their_field(client, past, settings_in):
    dataset = dataset_make(past.project)
    address = f"{at(past, 'run_new')}?dataset={dataset.number}"
    reply = client.post(address, {**settings_in, "learning_rate": "-1", "do": "preview"})
    assert reply.status_code == 422
    assert "learning_rate" in reply.context["form"].errors
    assert not WorkUnit.objects.filter(kind="preview").exists()


def test_without_a_dataset_there_is_a_next_step(client, past):
    assert "No dataset version yet" in text_of(client.get(at(past, "run_new")))
    dataset_make(past.project, sample=1, preference=1)
    assert "No objective can train it" in text_of(client.get(at(past, "run_new")))
    assert client.get(at(past, "run_new"), {"dataset": "77"}).status_code == 404


def test_a_failed_preview_says_why(past):
    unit = preview_start(
        project=past.project, dataset=dataset_make(past.project), finetune=FinetunePart(), by=past.lead
    )
    unit.state, unit.error = "failed", "ValueError: no chat template"
    assert preview_page.not_startable(unit).endswith("ValueError: no chat template")
    assert preview_page.shown_of(unit).rows == []
