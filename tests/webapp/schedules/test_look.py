"""What the scheduler does with schedules: starts, catches up, skips with a reason, tries again."""

import pytest
from django.utils import timezone

from tests import factories as make
from tests.webapp.iterations import support as iterations
from tests.webapp.schedules.support import (
    CHANGES,
    NOON,
    answers_make,
    fresh,
    hours,
    outcomes,
    schedule_make,
)
from webapp.iterations.models import Iteration
from webapp.iterations.services import iteration_cancel
from webapp.metrics.models import MetricValue
from webapp.notices.models import Channel, Delivery
from webapp.registry.models import Evaluation
from webapp.registry.services import base_register
from webapp.schedules.models import Schedule
from webapp.schedules.services import (
    ScheduleError,
    schedule_enable,
    schedule_run,
    schedule_set,
    schedules_look,
)

pytestmark = pytest.mark.django_db

DAILY = {"kind": "clock", "cron": "0 2 * * *"}


@pytest.fixture
def told(db):
    """What everybody was told, as (event, text)."""

    def listen(project):
        events = ["schedule_started", "schedule_skipped", "schedule_failed"]
        Channel.objects.create(project=project, kind="email", target="a@example.org", events=events)
        return lambda: [(d.event, d.payload["text"]) for d in Delivery.objects.order_by("created_at")]

    return listen


def test_a_clock_starts_its_recipe_with_its_changes():
    schedule = schedule_make(**DAILY)
    assert fresh(schedule).next_at == NOON + hours(14)
    assert schedules_look(now=NOON + hours(13)) == 0
    assert schedules_look(now=NOON + hours(14)) == 1
    iteration = Iteration.objects.get()
    assert (iteration.recipe_name, iteration.recipe["annotate"]["take"]) == ("rest-em", 0)
    run = schedule.runs.get()
    assert (run.outcome, run.key, run.iteration, run.missed) == ("started", "2026-05-21T02:00Z", iteration, 0)
    assert fresh(schedule).next_at == NOON + hours(38)


def test_a_clock_missed_for_three_periods_starts_once_and_says_how_many_it_stands_for():
    schedule = schedule_make(**DAILY)
    back = NOON + hours(3 * 24)
    assert [schedules_look(now=back + hours(h / 100)) for h in range(5)] == [1, 0, 0, 0, 0]
    assert (schedule.runs.get().key, schedule.runs.get().missed) == ("2026-05-23T02:00Z", 2)
    assert Iteration.objects.count() == 1


def test_while_an_iteration_is_open_it_is_skipped_once_with_the_reason_and_starts_afterwards(told):
    schedule = schedule_make(**DAILY)
    said = told(schedule.project)
    other = iterations.start(schedule.project)
    for minute in range(5):
        assert schedules_look(now=NOON + hours(14 + minute / 60)) == 0
    assert outcomes(schedule) == [("skipped", "2026-05-21T02:00Z")]
    assert schedule.runs.get().reason == "Iteration 1 was still open"
    assert [event for event, _ in said()] == ["schedule_skipped"]
    iteration_cancel(iteration=other, by=None)
    assert schedules_look(now=NOON + hours(15)) == 1
    assert outcomes(schedule) == [("started", "2026-05-21T02:00Z")]
    assert "Iteration 1 was still open until then" in schedule.runs.get().reason
    assert [event for event, _ in said()] == ["schedule_skipped", "schedule_started"]
    assert schedules_look(now=NOON + hours(16)) == 0


def test_a_skipped_occasion_gives_way_to_a_newer_one():
    schedule = schedule_make(**DAILY)
    other = iterations.start(schedule.project)
    schedules_look(now=NOON + hours(14))
    schedules_look(now=NOON + hours(38))
    iteration_cancel(iteration=other, by=None)
    schedules_look(now=NOON + hours(39))
    assert outcomes(schedule) == [("skipped", "2026-05-21T02:00Z"), ("started", "2026-05-22T02:00Z")]
    assert Iteration.objects.count() == 2


def test_a_start_that_fails_says_why_once_and_is_tried_again_later(told):
    project = make.project_make()  # without prompts
    schedule = schedule_make(project, **DAILY)
    said = told(project)
    for minute in (0, 1, 2, 61, 62):
        assert schedules_look(now=NOON + hours(14 + minute / 60)) == 0
    assert outcomes(schedule) == [("failed", "2026-05-21T02:00Z")]
    assert "no train prompts" in schedule.runs.get().reason
    assert [event for event, _ in said()] == ["schedule_failed"]
    iterations.prompts_add(project=project, records=iterations.prompt_records(6, 4, 2))
    assert schedules_look(now=NOON + hours(16)) == 0  # the hour is not over
    assert schedules_look(now=NOON + hours(16.1)) == 1
    assert outcomes(schedule) == [("started", "2026-05-21T02:00Z")]


def test_one_schedule_that_breaks_does_not_stop_the_others():
    broken = schedule_make(name="Broken", **DAILY)
    Schedule.objects.filter(pk=broken.pk).update(plan={"kind": "nonsense"})
    schedule_make(**DAILY)
    assert schedules_look(now=NOON + hours(14)) == 1
    assert fresh(broken).look_at == NOON + hours(15)


def test_of_two_schedules_due_at_once_one_starts_and_the_other_waits_for_it():
    first = schedule_make(name="A", **DAILY)
    second = schedule_make(first.project, name="B", **DAILY)
    assert schedules_look(now=NOON + hours(14)) == 1
    assert {outcome for outcome, _ in [*outcomes(first), *outcomes(second)]} == {"started", "skipped"}
    assert Iteration.objects.count() == 1


def test_every_n_answers_starts_at_the_nth_and_again_n_later():
    schedule = schedule_make(kind="data", every=3)
    project, now = schedule.project, NOON
    started = []
    for n in range(1, 9):
        answers_make(project, 1)
        now += hours(1)
        if schedules_look(now=now):
            started.append(n)
            iteration_cancel(iteration=Iteration.objects.latest("pk"), by=None)
        assert schedules_look(now=now + hours(0.01)) == 0
    assert started == [3, 6]
    assert outcomes(schedule) == [("started", "data-1"), ("started", "data-2")]
    assert schedule.runs.latest("pk").reason.startswith("3 answers newly accepted")


def test_answers_that_were_rejected_do_not_count_nor_those_of_other_projects():
    schedule = schedule_make(kind="data", every=3)
    answers_make(schedule.project, 2)
    answers_make(schedule.project, 2, state="rejected")
    answers_make(schedule.project, 2, outcome="unsure")
    answers_make(make.project_make(), 5)
    assert schedules_look(now=NOON + hours(1)) == 0
    assert outcomes(schedule) == []
    answers_make(schedule.project, 1)
    assert schedules_look(now=NOON + hours(2)) == 1


def test_a_fall_of_the_champions_accuracy_starts_one():
    project = iterations.project_with_prompts()
    champion = base_register(project=project)
    schedule = schedule_make(project, kind="drift", metric="champion:probe", drop=0.1)

    def measure(right, sha, **values):
        return Evaluation.objects.create(
            model_version=champion, split="probe", prompts_sha=sha, n=400, right=right, done=True, **values
        )

    Schedule.objects.update(since=measure(320, "a").created_at - hours(1))
    assert schedules_look(now=NOON + hours(1)) == 0
    measure(100, "baseline", sampling={"shots": [{}]})  # the no-training baseline is not the champion
    assert schedules_look(now=NOON + hours(2)) == 0
    measure(240, "b")
    assert schedules_look(now=NOON + hours(3)) == 1
    assert schedule.runs.get().reason == "champion:probe fell from 0.800 to 0.600"


def test_who_watches_the_champion_has_it_measured_once_a_day_and_only_on_prompts_that_are_new():
    project = iterations.project_with_prompts()
    champion = base_register(project=project)
    schedule_make(project, kind="drift", metric="champion:probe", drop=0.1, now=NOON)

    def look(days):
        schedules_look(now=timezone.now() + hours(24 * days))
        units = project.units.filter(iteration=None, kind="evaluate").order_by("id")
        return [len(unit.payload["prompt_ids"]) for unit in units]

    assert look(0) == [2]
    assert look(0.5) == [2]
    assert look(3) == [2], "asked again while it is being measured"
    champion.evaluations.update(done=True, n=2, right=1)
    project.units.update(state="done")
    assert look(6) == [2], "the same prompts again"
    make.prompt_make(project, split="probe")
    assert look(9) == [2, 3]


def test_a_measuring_that_was_cancelled_or_failed_does_not_end_the_watch():
    project = iterations.project_with_prompts()
    champion = base_register(project=project)
    schedule_make(project, kind="drift", metric="champion:probe", drop=0.1, now=NOON)
    Evaluation.objects.create(model_version=champion, split="probe", prompts_sha="cancelled", size=2)

    def look(days):
        schedules_look(now=timezone.now() + hours(24 * days))
        return project.units.filter(iteration=None, kind="evaluate").count()

    assert look(2) == 1
    project.units.update(state="failed")
    assert look(3) == 2
    project.units.update(state="failed", created_at=timezone.now() + hours(24 * 3))
    assert look(3.5) == 2, "once a day"


def test_a_metric_of_control_arms_is_not_watched():
    project = iterations.project_with_prompts()
    schedule_make(project, kind="drift", metric="samples_right", drop=0.1, now=NOON - hours(24 * 400))
    main = make.iteration_make(project, status="done", stage="done")
    control = make.iteration_make(project, status="done", stage="done", arm="shuffled", control_of=main)
    for iteration, value in ((main, 0.8), (control, 0.1)):
        MetricValue.objects.create(project=project, iteration=iteration, name="samples_right", value=value)
    assert schedules_look(now=NOON) == 0
    later = make.iteration_make(project, status="done", stage="done")
    MetricValue.objects.create(project=project, iteration=later, name="samples_right", value=0.7)
    assert schedules_look(now=NOON + hours(1)) == 1


def test_run_by_hand_starts_at_once_counts_as_a_start_and_refuses_a_busy_project():
    schedule = schedule_make(kind="data", every=3)
    answers_make(schedule.project, 2)
    by = make.user_make()
    run = schedule_run(schedule=schedule, by=by, now=NOON + hours(1))
    assert (run.outcome, run.asked_by, run.iteration.number) == ("started", by, 1)
    with pytest.raises(ScheduleError, match="Iteration 1 was still open"):
        schedule_run(schedule=schedule, by=by)
    iteration_cancel(iteration=run.iteration, by=None)
    answers_make(schedule.project, 2)
    assert schedules_look(now=NOON + hours(2)) == 0  # the two before it are used
    answers_make(schedule.project, 1)
    assert schedules_look(now=NOON + hours(3)) == 1


def test_what_passed_while_it_was_off_or_planned_otherwise_is_not_caught_up():
    schedule = schedule_make(**DAILY)
    schedule_enable(schedule=schedule, on=False, by=None)
    assert schedules_look(now=NOON + hours(30)) == 0
    schedule_enable(schedule=schedule, on=True, by=None, now=NOON + hours(30))
    assert schedules_look(now=NOON + hours(31)) == 0
    assert schedules_look(now=NOON + hours(38)) == 1
    iteration_cancel(iteration=Iteration.objects.get(), by=None)
    plan = schedule.planned.model_copy(update={"cron": "0 * * * *"})
    named = {"name": "Hourly", "plan": plan, "recipe": "rest-em", "changes": CHANGES, "by": None}
    schedule_set(project=schedule.project, schedule=schedule, **named, now=NOON + hours(40.5))
    assert schedules_look(now=NOON + hours(40.6)) == 0
    assert schedules_look(now=NOON + hours(41)) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"recipe": "nothing"}, "no recipe called"),
        ({"changes": ["annotate.teka=0"]}, "annotate.teka"),
        ({"name": "Nightly"}, "already"),
        ({"kind": "drift", "metric": "made_up", "drop": 0.1}, "No metric"),
    ],
)
def test_what_cannot_work_is_refused(values, said):
    first = schedule_make(**DAILY)
    plan = {k: v for k, v in values.items() if k in ("kind", "metric", "drop")}
    rest = {k: v for k, v in values.items() if k not in plan}
    with pytest.raises(ScheduleError, match=said):
        schedule_make(first.project, **({"name": "Other"} | rest), **(plan or DAILY))


def test_a_look_with_nothing_due_is_one_query_and_a_schedule_by_data_a_handful(
    django_assert_num_queries, django_assert_max_num_queries
):
    schedule = schedule_make(kind="data", every=3)
    for name in ("B", "C"):
        schedule_make(schedule.project, name=name, **DAILY)
    schedules_look(now=NOON)
    with django_assert_num_queries(1):
        schedules_look(now=NOON)
    answers_make(schedule.project, 2)
    with django_assert_max_num_queries(12):
        assert schedules_look(now=NOON + hours(0.01)) == 0
