"""A scorer ranks a real policy's samples on one engine: samples, scores, outcomes, decision."""

import pytest

from loop.recipe import recipe_named
from tests.webapp.iterations import support
from tests.workers.test_engine_reward import Trained
from webapp.iterations.models import Iteration
from webapp.iterations.services import scorers, unit_claim
from webapp.projects.models import Project
from webapp.registry.services import base_register, model_register
from webapp.traces.models import Response, Score
from workers import models, tasks

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]


@pytest.fixture(autouse=True)
def engines():
    models._engines.clear()
    models._checked.clear()
    yield
    models._engines.clear()
    models._checked.clear()


def test_a_real_scorer_picks_among_real_samples(llama, tmp_path, settings):
    trained = Trained(llama, tmp_path / "prm", "prm")
    settings.ADAPTERS_DIR = trained.adapter.parent
    project = support.project_with_prompts(1, 3, 1)
    Project.objects.filter(pk=project.pk).update(base=str(llama))
    project.refresh_from_db()
    policy = base_register(project=project)
    scorer = model_register(
        project=project,
        role="process_reward",
        status="challenger",
        adapter_path=trained.adapter.name,
        adapter_sha=trained.adapter.name,
    )
    recipe = recipe_named("prm").model_dump(mode="json")
    recipe["evaluate"] |= {"best_of": 2, "max_new_tokens": 8}
    iteration = Iteration.objects.create(
        project=project,
        number=1,
        recipe_name="prm",
        recipe=recipe,
        stage="evaluate",
        champion=policy,
        challenger=scorer,
    )
    scorers.evaluate_plan(iteration)
    unit = unit_claim(queue="model")
    tasks.work(unit.pk, unit.token, unit.kind)
    unit.refresh_from_db()
    assert (unit.state, unit.error) == ("done", "")
    samples = Response.objects.filter(prompt__split="heldout", model_version=policy)
    assert samples.count() == 6
    scores = Score.objects.filter(response__in=samples, name=f"process_reward v{scorer.number}")
    assert scores.count() == samples.exclude(text="").count()
    assert all(0 <= s.value <= 1 for s in scores)
    assert [e.n for e in scorer.evaluations.all()] == [3, 3]
    scorer.refresh_from_db()
    assert scorer.canary["kind"] == "rewards"
    measured = unit_claim(queue="light")  # what was evaluated is measured before anybody decides
    tasks.work(measured.pk, measured.token, measured.kind)
    iteration.refresh_from_db()
    assert iteration.status == "done"  # the last unit's completion moved it on
    assert iteration.decision["reasons"]
