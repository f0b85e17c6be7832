"""The commands: what they print, as words and as JSON, and one sentence with status 2 for bad input."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from loop.recipe import recipes
from tests.webapp.iterations import support
from tests.webapp.iterations.scripted_worker import Workers
from webapp.iterations.models import Iteration, WorkUnit
from webapp.iterations.selectors import work_progress
from webapp.iterations.services import iteration_tick
from webapp.projects.models import Project
from webapp.registry.services import base_register

pytestmark = pytest.mark.django_db
SIZES = (6, 4, 2)
NO_INTEGER = "Input should be a valid integer, unable to parse string as an integer"


@pytest.fixture
def project():
    return support.project_with_prompts(*SIZES)


def command(*words, **options):
    out, err = StringIO(), StringIO()
    call_command(*words, stdout=out, stderr=err, **options)
    return out.getvalue()


def refused(*words):
    """The sentence of a command that does nothing and ends with status 2."""
    before = (Iteration.objects.count(), WorkUnit.objects.count())
    with pytest.raises(CommandError) as caught:
        command(*words)
    assert caught.value.returncode == 2
    assert (Iteration.objects.count(), WorkUnit.objects.count()) == before
    return str(caught.value)


def run(project, *more):
    return ("iteration_run", f"--project={project.slug}", "--recipe=rest-em", *more)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--project=nowhere", "--recipe=rest-em"], "no project called 'nowhere'"),
        (
            ["--recipe=rest"],
            f"no recipe called 'rest'; there are: {', '.join(sorted(recipes()))}",
        ),
        (["--recipe=rest-em", "--set=annotate.take"], "annotate.take: expected KEY=VALUE"),
        (
            ["--recipe=rest-em", "--set=anotate.take=4"],
            "anotate.take=4: the recipe has no part 'anotate'",
        ),
        (
            ["--recipe=rest-em", "--set=annotate.take=many"],
            f"recipe rest-em: annotate.take: {NO_INTEGER}",
        ),
        (
            ["--recipe=rest-em", "--set=settings.smaples=4"],
            "recipe rest-em: smaples: Extra inputs are not permitted",
        ),
        (["--recipe=rest-em", "--set=annotate.take=[4"], "annotate.take=[4: the value cannot be read"),
        (["--recipe=rest-em", "--control-of=9"], "demo-words has no iteration 9"),
    ],
)
def test_iteration_run_refuses_in_one_sentence(project, words, says):
    Project.objects.filter(pk=project.pk).update(slug="demo-words")
    given = words if "--project=nowhere" in words else ["--project=demo-words", *words]
    assert refused("iteration_run", *given) == says


def test_iteration_run_starts_by_the_recipe_as_changed(project):
    said = command(*run(project, "--seed=3", "--set=settings.samples=2", "--set=annotate.kind=none"))
    iteration = Iteration.objects.get()
    assert said == "iteration 1 (rest-em): prepare, running\n"
    assert iteration.recipe["settings"]["samples"] == 2
    assert iteration.recipe["annotate"]["kind"] == "none"
    assert (iteration.seed, iteration.simulate_annotators) == (3, False)
    assert refused(*run(project)) == "Iteration 1 is still open; let it finish or cancel it first"


def test_a_control_of_an_unfinished_iteration_is_refused(project):
    iteration = support.start(project)
    Iteration.objects.filter(pk=iteration.pk).update(status="cancelled")
    assert refused(*run(project, "--control-of=1")) == "a control arm needs a finished iteration to control"


@pytest.mark.django_db(transaction=True)
def test_iteration_run_waits_and_tells_the_outcome(project, monkeypatch, settings, tmp_path):
    workers = Workers(monkeypatch, settings, tmp_path, support.prompt_records(*SIZES))
    monkeypatch.setattr(
        "webapp.iterations.management.commands.iteration_run.time.sleep", lambda _: workers.work_all()
    )
    words = [f"--set={change}" for change in support.SMALL]
    said = command(*run(project, "--wait", "--json", "--simulate-annotators", "--seed=7", *words))
    report = json.loads(said)
    assert (report["status"], report["stage"], report["recipe"]) == ("done", "done", "rest-em")
    assert report["counts"]["sampled"] > 0
    assert (report["n"], report["arm"]) == (4, "main")
    assert set(report["seconds"]) == set(support.STRAIGHT) - {"done"}


def test_a_failed_iteration_ends_the_command_with_status_1(project, monkeypatch):
    def work(_):
        Iteration.objects.update(status="failed", problem="generate: out of memory")

    monkeypatch.setattr("webapp.iterations.management.commands.iteration_run.time.sleep", work)
    with pytest.raises(CommandError, match="Iteration 1 failed: generate: out of memory") as caught:
        command(*run(project, "--wait"))
    assert caught.value.returncode == 1


def test_model_evaluate_queues_then_reuses(project):
    base_register(project=project)
    words = ("model_evaluate", f"--project={project.slug}")
    assert command(*words) == f"{project.slug}-v1 on heldout: queued for the workers\n"
    unit = WorkUnit.objects.get()
    assert (unit.iteration, unit.queue, unit.total) == (None, "model", 4)
    support.finish(support.claim_any())
    facts = json.loads(command(*words, "--json"))
    right = sum(pk % 2 for pk in unit.payload["prompt_ids"])
    assert (facts["done"], facts["n"], facts["accuracy"]) == (True, 4, right / 4)
    assert command(*words).startswith(f"{project.slug}-v1 on 4 heldout prompts: {right / 4:.1%} right (95 % ")
    assert WorkUnit.objects.count() == 1
    command(*words, "--split=probe")
    assert WorkUnit.objects.count() == 2


def test_model_evaluate_asked_twice_at_once_measures_once(project):
    base_register(project=project)
    for _ in range(2):
        command("model_evaluate", f"--project={project.slug}")
    while unit := support.claim_any():
        support.finish(unit)
    facts = json.loads(command("model_evaluate", f"--project={project.slug}", "--json"))
    assert (facts["done"], facts["n"]) == (True, 4)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--project=nowhere"], "no project called 'nowhere'"),
        (["--project=demo-words", "--model=x"], "demo-words has no model called x"),
    ],
)
def test_model_evaluate_refuses_in_one_sentence(project, words, says):
    Project.objects.filter(pk=project.pk).update(slug="demo-words")
    assert refused("model_evaluate", *words) == says


def test_model_evaluate_needs_prompts_to_measure_on():
    project = support.project_with_prompts(6, 0, 0)
    base_register(project=project)
    words = ("model_evaluate", f"--project={project.slug}")
    assert refused(*words) == f"{project.slug} has no heldout prompts"
    assert not base_register(project=project).evaluations.exists()
    assert refused(*words, "--limit=0") == "--limit must be at least 1"


def test_annotations_simulate_answers_what_is_open(project):
    iteration = support.start(project)
    support.work_until(iteration, "annotate")
    assert work_progress(iteration) == "Iteration 1 annotate: 0 of 4 answers"
    facts = json.loads(command("annotations_simulate", f"--project={project.slug}", "--json"))
    assert (facts["made"], facts["answers"], facts["wanted"]) == (4, 4, 4)
    assert iteration_tick(iteration_id=iteration.pk) == 1
    assert "no iteration with open annotation tasks" in refused(
        "annotations_simulate", f"--project={project.slug}"
    )


def test_the_scheduler_s_round_survives_a_broken_part(project, monkeypatch):
    from webapp.schedules.management.commands import scheduler

    support.start(project)
    swept = []
    monkeypatch.setattr(scheduler, "open_iterations_tick", lambda: 1 / 0)
    monkeypatch.setattr(scheduler, "units_sweep", lambda: swept.append("units"))
    monkeypatch.setattr(scheduler, "close_old_connections", lambda: None)
    scheduler.Command().beat()
    assert swept == ["units"]


def test_a_new_project_is_measured_by_its_base(project):
    command("model_evaluate", f"--project={project.slug}")
    project.refresh_from_db()
    assert project.champion.evaluations.filter(split="heldout").exists()
