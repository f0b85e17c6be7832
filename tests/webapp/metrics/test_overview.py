"""The overview: is it better, what was done, what needs attention first, which iteration was bad and why."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories as make
from tests.stories import measured_past, past_make
from tests.webapp.metrics.traced import traced_past
from webapp.annotate.models import AnnotationTask, DayCount, Flag
from webapp.iterations.models import Iteration, WorkUnit
from webapp.metrics.attention import Standing, attention_of, standing_of
from webapp.metrics.figures.overview import history_of
from webapp.metrics.models import Alarm, WorkerBeat
from webapp.metrics.overview import better_of, done_of, turns_of
from webapp.projects.models import Project, Role

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def past():
    return past_make(tasks=0)


def decided(past, **figures):
    """The champion's decision as the gate writes it, with the comparison to the base."""
    found = {"before": 0.25, "after": 0.75, "effect": 0.5, "ci95": [0.3, 0.7], "p_value": 0.001, "n": 40}
    decision = {**past.done.decision, "against": {"base": found | figures}}
    Iteration.objects.filter(pk=past.done.pk).update(decision=decision)
    return better_of(past.project, turns_of(past.project))


@pytest.mark.parametrize(
    ("ci95", "word"), [([0.3, 0.7], "yes"), ([-0.1, 0.2], "no"), ([-0.4, -0.1], "worse"), (None, "no")]
)
def test_the_gates_comparison_with_the_base_says_whether_it_is_better(past, ci95, word):
    better = decided(past, ci95=ci95)
    assert (better.word, better.before, better.after, better.n) == (word, 0.25, 0.75, 40)
    assert (better.promoted, better.of) == (1, 1)  # the control arm does not count
    assert better.turn.iteration == past.done


def test_a_champion_that_replaced_the_base_has_its_own_decision_for_it(past):
    better = better_of(past.project, turns_of(past.project))
    assert (better.word, better.effect, better.n) == ("yes", past.done.decision["effect"], 12)


def test_a_champion_without_a_decision_is_compared_on_the_prompts_both_answered(past):
    Iteration.objects.filter(pk=past.done.pk).update(challenger=None)
    better = better_of(past.project, turns_of(past.project))
    # The base had 4 of 12 right, the champion 8: 6 turned right, 2 wrong.
    assert (better.before, better.after, better.n) == (pytest.approx(4 / 12), pytest.approx(8 / 12), 12)
    assert better.effect == pytest.approx(4 / 12)
    assert better.p_value == pytest.approx(0.2890625)  # 2 * P(X <= 2), X ~ Bin(8, 1/2)
    assert better.word == "no"


def test_where_nothing_was_measured_nothing_is_claimed():
    project = make.project_make()
    assert better_of(project, []).word == "base"
    measured = measured_past().project
    Iteration.objects.filter(project=measured).update(challenger=None)
    assert better_of(measured, turns_of(measured)).word == "unknown"


def test_what_people_did_is_apart_from_what_was_simulated():
    traced = traced_past()
    project = traced.past.project
    DayCount.objects.filter(user=traced.person).update(answers=30, seconds=7200)
    turns = turns_of(project)
    people, robots = done_of(project, turns, better_of(project, turns))
    assert (people.answers, people.hours, people.people, people.rows) == (30, 2.0, 1, 2)
    assert people.per_hour == pytest.approx(100 * 4 / 12 / 2)
    assert (robots.answers, robots.rows, robots.simulated, robots.per_hour) == (1, 1, True, None)


def titles(project, standing=None, waiting=""):
    project.my_role = Role.LEAD
    turns = turns_of(project)
    items = attention_of(project, turns, standing or standing_of(project, turns), waiting)
    return [(item.level, item.title) for item in items]


def test_the_most_urgent_comes_first_and_each_has_its_place(past):
    project, lead = past.project, past.lead
    task = make.task_make(past.waiting)
    Flag.objects.create(project=project, task=task, author=lead, reason="flag")
    AnnotationTask.objects.filter(pk=task.pk).update(answers=2, disagreement=0.5)
    Alarm.objects.create(project=project, iteration=past.done, key="collapse", level="bad", text="It fell.")
    Alarm.objects.create(
        project=project, iteration=past.done, key="stale_feedback", level="warn", text="Old."
    )
    seen = Alarm.objects.create(
        project=project, iteration=past.control, key="collapse", level="bad", text="x"
    )
    Alarm.objects.filter(pk=seen.pk).update(seen_at=timezone.now())
    assert titles(project, waiting="Waits for people: 1 of 3 answers") == [
        ("bad", "Collapse in iteration 1"),
        ("warn", "Feedback is old in iteration 1"),
        ("warn", "1 disagreement waits"),
        ("warn", "1 flag is open"),
        ("info", "Waits for people: 1 of 3 answers"),
    ]
    Iteration.objects.filter(pk=past.waiting.pk).update(status="failed", problem="no room left")
    assert ("bad", "Iteration 3 failed in annotate") in titles(project)


def test_the_many_alarms_of_one_iteration_do_not_hide_those_of_another(past):
    for iteration, keys in (
        (past.done, ["collapse", "forgetting"]),
        (past.control, ["length_hacking", "reward_hacking", "collapse", "forgetting"]),
    ):
        for key in keys:
            Alarm.objects.create(
                project=past.project, iteration=iteration, key=key, level="bad", text="It fell."
            )
    assert [title for _, title in titles(past.project)] == [
        "Length hacking in iteration 2",
        "Collapse in iteration 1",
        "Reward hacking in iteration 2",
        "Forgetting in iteration 1",
        "2 more alarms",
    ]
    *_, left = attention_of(past.project, turns_of(past.project), Standing())
    assert (left.level, left.sign) == ("bad", "!")  # as the worst of them
    first = attention_of(past.project, turns_of(past.project), Standing())[0]
    assert first.href.endswith(f"#alarm-{Alarm.objects.get(iteration=past.control, key='length_hacking').pk}")


def test_units_that_nobody_serves_or_holds_are_told(past):
    project, now = past.project, timezone.now()
    unit = WorkUnit.objects.create(project=project, stage="generate", kind="generate", queue="model")
    assert titles(project) == []  # it has waited for a moment only
    WorkUnit.objects.filter(pk=unit.pk).update(created_at=now - timedelta(minutes=5))
    assert titles(project) == [("bad", "Nobody serves the queue “model”")]
    beat = WorkerBeat.objects.create(name="a", queue="model", host="h", pid=1, started_at=now, seen_at=now)
    assert titles(project) == []
    WorkerBeat.objects.filter(pk=beat.pk).update(seen_at=now - timedelta(minutes=5))
    WorkUnit.objects.filter(pk=unit.pk).update(state="running", leased_until=now - timedelta(minutes=5))
    assert titles(project) == [("bad", "1 unit is stuck")]


def test_below_lead_alarms_alone_are_told(past):
    Alarm.objects.create(
        project=past.project, iteration=past.done, key="collapse", level="bad", text="It fell."
    )
    past.project.my_role = Role.VIEWER
    items = attention_of(past.project, turns_of(past.project), Standing(flags=3, stuck=2))
    assert [item.title for item in items] == ["Collapse in iteration 1"]


def test_the_history_tells_promoted_held_and_alarmed_apart():
    project = measured_past().project
    figure = history_of(project, turns_of(project))
    kinds = [(s.stop.label, s.stop.kind, list(s.stop.alarms)) for s in figure.chart.stops]
    assert kinds == [
        ("base", "base", []),
        ("1", "promoted", []),
        ("2", "promoted", []),
        ("3", "control", []),
        ("4", "held", ["Diversity loss"]),
        ("5", "promoted", []),
        ("6", "promoted", []),
    ]
    assert [word for _, word in figure.chart.stops[4].below] == ["Diversity", "loss"]
    assert len(figure.chart.line.split()) == 5  # the base and the four champions
    assert figure.title == (
        "Held-out accuracy went from 33.0\u202f% to 61.0\u202f% by 4 promotions; alarm in iteration 4"
    )
    assert figure.rows[3][-1].text == "Diversity loss"
    raw = dict(zip(figure.head, (cell.raw for cell in figure.rows[0]), strict=True))
    low, high = (100 * end for end in project.iterations.get(number=1).decision["ci95"])
    assert [raw[k] for k in ("Change, points", "Low (95 %)", "High (95 %)")] == pytest.approx([7, low, high])
    assert history_of(project, []) is None


def test_a_newcomer_finds_the_bad_iteration_and_why(client):
    past = measured_past()
    client.force_login(past.lead, backend=BACKEND)
    page = client.get(reverse("project", args=[past.project.slug])).content.decode()
    row = next(
        r for r in re.findall(r"<tr.*?</tr>", page, re.DOTALL) if "Iteration 4" in r and "turn-alarm" in r
    )
    assert "Diversity loss" in row
    assert "held" in row
    assert "Diversity loss in iteration 4" in page
    assert "Distinct bigrams fell from 0.69 to 0.22." in page


def test_the_page_costs_the_same_however_long_the_past(client, django_assert_max_num_queries):
    past = measured_past()
    client.force_login(past.lead, backend=BACKEND)
    address = reverse("project", args=[past.project.slug])
    client.get(address)
    with django_assert_max_num_queries(15):
        client.get(address)
    rows = [
        make.iteration_make(past.project, stage="done", status="done", decision=past.iterations[0].decision)
        for _ in range(44)
    ]
    Alarm.objects.bulk_create(
        Alarm(project=past.project, iteration=row, key="collapse", level="bad", text="It fell.")
        for row in rows
    )
    with django_assert_max_num_queries(15):
        client.get(address)


def test_with_an_iteration_under_way_it_still_takes_few_queries(client, django_assert_max_num_queries):
    past = past_make(tasks=3)
    client.force_login(past.lead, backend=BACKEND)
    address = reverse("project", args=[past.project.slug])
    client.get(address)
    with django_assert_max_num_queries(18):
        page = client.get(address).content.decode()
    assert "Waits for people: 0 of 3 answers" in page


def test_my_projects_tell_the_last_gain_and_open_alarms(client, django_assert_num_queries):
    past, lead = measured_past(), make.user_make(is_superuser=True)
    Project.objects.create(slug="bare", name="Bare", base="seed")
    client.force_login(lead, backend=BACKEND)
    address = f"{reverse('home')}?all=1"
    client.get(address)
    with django_assert_num_queries(4):
        page = client.get(address).content.decode()
    assert "+6.0" in page
    assert "1 open alarm" in page
    assert past.project.name in page
