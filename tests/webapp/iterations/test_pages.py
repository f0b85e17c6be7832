"""The iterations pages: what they show at each state, what their buttons do, how many queries they cost."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from loop.recipe import recipes
from tests import factories as make
from tests.stories import past_make, trained
from webapp.annotate.models import AnnotationTask
from webapp.iterations.models import Iteration, WorkUnit
from webapp.iterations.page import actions_of, funnel_of, loss_curve, losses_of, stages_of
from webapp.projects.models import Prompt, Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def past(client):
    past = past_make()
    client.force_login(past.lead, backend="django.contrib.auth.backends.ModelBackend")
    return past


def text_of(response):
    return re.sub(r"[ \n]+", " ", response.content.decode())


def look(client, iteration, **query):
    return client.get(reverse("iteration", args=[iteration.project.slug, iteration.number]), query)


def act(client, iteration, action, follow=True):
    address = reverse("iteration_act", args=[iteration.project.slug, iteration.number, action])
    return client.post(address, follow=follow)


def test_the_list_in_a_fixed_number_of_queries(client, past, django_assert_max_num_queries):
    with django_assert_max_num_queries(9):
        page = text_of(client.get(reverse("iterations", args=[past.project.slug])))
    assert "shuffled control of 1" in page
    assert "+33.3" in page
    assert "Start an iteration" not in page  # one is open


def test_a_finished_iteration_explains_itself(client, past, django_assert_max_num_queries):
    with django_assert_max_num_queries(20):
        page = text_of(look(client, past.done))
    assert "33.3\u202f% → 66.7\u202f%" in page
    assert "95 % interval 30.3 to 36.3 points, p &lt; 0.001, 12 prompts" in page
    assert "wrong by the checker" in page
    assert "Turned right" in page
    assert "EventSource" not in page
    assert "base/live.js" not in page  # nothing changes any more
    assert "Iteration 2" in page  # the control arm


def test_flips_are_paged_five_by_five(client, past):
    page = look(client, past.done)
    sizes = {now: (flips.paginator.count, len(rows)) for now, flips, rows in page.context["flips"]}
    assert sizes == {"right": (6, 5), "wrong": (2, 2)}
    (_, _, rows), _ = look(client, past.done, right=2).context["flips"]
    assert [flip.after.prompt for flip in rows] == [past.heldout[9]]
    assert (rows[0].before.verdict, rows[0].after.verdict) == ("wrong", "right")
    assert rows[0].before.response.text.endswith("nonsense")


def test_waiting_for_people(client, past):
    page = text_of(look(client, past.waiting))
    assert "0 / 3 answers" in page
    assert "Go on without more answers" in page
    assert "Let the simulated annotators do the rest" in page
    assert 'data-live="/events/' in page


def test_a_program_stands_in_only_where_it_knows_the_answers(client, past):
    Prompt.objects.filter(pk=past.waiting.tasks.first().prompt_id).update(meta={})
    assert "simulate" not in actions_of(past.waiting)
    assert "only prompts of the built-in arithmetic domain" in text_of(act(client, past.waiting, "simulate"))


def test_asking_the_program_queues_it_once(client, past):
    assert "Simulated annotators are answering" in text_of(act(client, past.waiting, "simulate"))
    assert WorkUnit.objects.get(kind="simulate").iteration == past.waiting
    assert "simulate" not in actions_of(past.waiting)


def test_buttons_steer(client, past):
    for action, status in [("pause", "paused"), ("resume", "waiting"), ("cancel", "cancelled")]:
        act(client, past.waiting, action)
        past.waiting.refresh_from_db()
        assert past.waiting.status == status
    assert "that cannot be done now" in text_of(act(client, past.waiting, "pause"))
    assert act(client, past.waiting, "explode").status_code == 404
    assert client.get(reverse("iteration_act", args=[past.project.slug, 1, "pause"])).status_code == 405


def test_going_on_without_more_answers_withdraws_the_tasks(client, past):
    act(client, past.waiting, "close")
    assert set(AnnotationTask.objects.values_list("state", flat=True)) == {"closed"}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANNOTATOR])
def test_others_see_no_buttons(client, past, role):
    client.force_login(
        make.member_make(past.project, role=role), backend="django.contrib.auth.backends.ModelBackend"
    )
    page = text_of(look(client, past.waiting))
    assert "Pause" not in page
    assert ("/annotate/" in page) == (role == Role.ANNOTATOR)


def test_actions_by_status(past):
    iteration = past.waiting
    expected = {
        "running": {"pause", "cancel"},
        "paused": {"resume", "cancel"},
        "failed": {"retry", "cancel"},
        "cancelled": set(),
        "done": set(),
        "waiting": {"pause", "cancel", "close", "simulate"},
    }
    for status, actions in expected.items():
        iteration.status = status
        assert actions_of(iteration) == actions


def test_stage_progress_comes_from_the_units(past):
    iteration = past.waiting
    Iteration.objects.filter(pk=iteration.pk).update(stage="generate", status="running")
    iteration.refresh_from_db()
    started = timezone.now() - timezone.timedelta(seconds=10)
    for ordinal, (state, done) in enumerate([("done", 100), ("running", 50), ("queued", 0)]):
        WorkUnit.objects.create(
            project=past.project, iteration=iteration, stage="generate", kind="generate", ordinal=ordinal,
            queue="model", state=state, done=done, total=100, attempt=1,
            started_at=started if done else None, message="sampling" if state == "running" else "",
        )  # fmt: skip
    views = {view.stage: view for view in stages_of(iteration)}
    assert [views[s].state for s in ("prepare", "generate", "annotate", "promote")] == [
        "next",
        "now",
        "next",
        "next",
    ]
    (work,) = views["generate"].work
    assert (work.done, work.total, work.unit, work.message) == (150, 300, "prompts", "sampling")
    assert work.rate == pytest.approx(15, rel=0.1)  # 150 in 10 s
    assert work.time_left == pytest.approx(10, rel=0.1)


def test_training_shows_the_trainers_own_estimate(past):
    Iteration.objects.filter(pk=past.waiting.pk).update(stage="finetune", status="running")
    past.waiting.refresh_from_db()
    WorkUnit.objects.create(
        project=past.project, iteration=past.waiting, stage="finetune", kind="train", queue="train",
        state="running", done=3, total=40, started_at=timezone.now(),
        progress={"loss": 0.71, "tokens_per_s": 900.0, "time_left_s": 42},
    )  # fmt: skip
    (work,) = next(v for v in stages_of(past.waiting) if v.stage == "finetune").work
    assert (work.loss, work.tokens_per_s, work.time_left) == (0.71, 900.0, 42)


def test_the_loss_curve(past):
    curve = loss_curve(losses_of(past.done))
    assert (curve.first, curve.last, curve.steps, curve.total_steps) == (1.5, 0.5, 4, 4)
    assert loss_curve(losses_of(past.waiting)) is None
    trained(past.project, past.waiting, [2.0])
    assert loss_curve(losses_of(past.waiting)).last == 2.0


def test_the_funnel_skips_what_is_not_known_yet():
    assert funnel_of({}) == []
    bars = funnel_of({"prompts": 10, "sampled": 80, "verified": 40})
    assert [(b.label, b.count, b.share, b.kept) for b in bars] == [
        ("Sampled", 80, 100, None),
        ("Verified", 40, 50, 0.5),
    ]


def test_the_live_fragment_says_when_it_is_over(client, past, django_assert_max_num_queries):
    address = reverse("iteration_live", args=[past.project.slug, past.waiting.number])
    with django_assert_max_num_queries(14):
        response = client.get(address)
    assert response["Cache-Control"] == "no-store"
    assert "<html" not in response.content.decode()
    assert "data-finished" not in response.content.decode()
    over = client.get(reverse("iteration_live", args=[past.project.slug, past.done.number]))
    assert "data-finished" in over.content.decode()


def test_starting_one(client, past):
    address = reverse("iteration_start", args=[past.project.slug])
    page = text_of(client.get(address))
    for recipe in recipes().values():
        assert recipe.title in page
    refused = client.post(address, {"recipe": "rest-em"})
    assert refused.status_code == 422
    assert "Iteration 3 is still open" in text_of(refused)
    act(client, past.waiting, "cancel")
    response = client.post(address, {"recipe": "rest-em", "seed": "7", "simulate_annotators": "on"})
    assert response.status_code == 302
    started = Iteration.objects.first()
    assert (started.number, started.recipe_name, started.seed) == (4, "rest-em", 7)
    assert started.simulate_annotators
    assert started.started_by == past.lead


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ("annotate.take", "expected KEY=VALUE"),
        ("annotate.teka=0", "annotate.teka"),
        ("settings.samples=0", "samples: Input should be greater"),
    ],
)
def test_a_setting_that_cannot_be_is_said_at_its_box(client, past, changes, said):
    address = reverse("iteration_start", args=[past.project.slug])
    act(client, past.waiting, "cancel")
    refused = client.post(address, {"recipe": "rest-em", "changes": changes})
    assert refused.status_code == 422
    assert said in refused.context["form"].errors["changes"][0]
    assert 'id="id_changes_error"' in text_of(refused)
    assert Iteration.objects.count() == 3


def test_settings_are_changed_for_one_iteration(client, past):
    address = reverse("iteration_start", args=[past.project.slug])
    act(client, past.waiting, "cancel")
    lines = "annotate.take=0\r\n\r\n settings.samples=3 "
    assert client.post(address, {"recipe": "rest-em", "changes": lines}).status_code == 302
    recipe = Iteration.objects.first().recipe
    assert (recipe["name"], recipe["annotate"]["take"], recipe["settings"]["samples"]) == ("rest-em", 0, 3)


def test_simulated_annotators_are_not_offered_for_real_prompts(client, past):
    make.prompt_make(past.project)
    page = text_of(client.get(reverse("iteration_start", args=[past.project.slug])))
    assert "simulated annotators" not in page.lower()


def test_a_control_arm_is_started_from_the_finished_iteration(client, past):
    act(client, past.waiting, "cancel")
    past.control.delete()
    past.done.recipe = recipes()["rest-em"].model_dump(mode="json")
    past.done.save()
    assert "Run the shuffled-label control" in text_of(look(client, past.done))
    act(client, past.done, "control")
    assert past.done.controls.get().arm == "shuffled"
