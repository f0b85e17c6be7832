"""Two schedulers and two workers: real threads, real connections, one start."""

import pytest

from tests import factories as make
from tests.webapp.iterations import support as iterations
from tests.webapp.iterations.support import claim_any, finish, together
from tests.webapp.schedules.support import (
    NOON,
    answer,
    answers_make,
    hours,
    outcomes,
    schedule_make,
    tasks_make,
)
from webapp.iterations.models import Iteration
from webapp.iterations.services import IterationError, iteration_cancel, open_iterations_tick
from webapp.notices.models import Channel, Delivery
from webapp.schedules.services import ScheduleError, schedule_run, schedules_look

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_50_accepted_starts_exactly_once_with_two_schedulers_and_two_workers():
    schedule = schedule_make(kind="data", every=50)
    project = schedule.project
    Channel.objects.create(
        project=project, kind="email", target="a@example.org", events=["schedule_started", "schedule_skipped"]
    )
    answers_make(project, 40)
    tasks, people = tasks_make(project, 10), [make.user_make() for _ in range(10)]
    pairs = list(zip(tasks, people, strict=True))
    looks = [NOON + hours(n) for n in range(1, 13)]

    def people_answer(some):
        for task, person in some:
            answer(task, person)

    def scheduler():
        started = 0
        for now in looks:
            open_iterations_tick()
            started += schedules_look(now=now)
        return started

    def worker():
        for _ in range(4):
            if unit := claim_any():
                finish(unit)

    jobs = [lambda: people_answer(pairs[:5]), lambda: people_answer(pairs[5:])]
    together([*jobs, scheduler, scheduler, worker, worker])
    schedules_look(now=NOON + hours(20))  # whoever was too early for the fiftieth answer
    assert [outcome for outcome, _ in outcomes(schedule)] == ["started"]
    assert Iteration.objects.count() == 1
    assert Delivery.objects.filter(event="schedule_started").count() == 1
    schedule.refresh_from_db()
    assert (schedule.firings, schedule.tally.most) == (1, 0)


def test_many_schedulers_at_the_same_moment_start_one_of_each_occasion():
    schedule = schedule_make(kind="clock", cron="0 2 * * *")
    for day in (1, 2):
        now = NOON + hours(24 * day)
        assert sorted(together([lambda now=now: schedules_look(now=now)] * 4)) == [0, 0, 0, 1]
        iteration_cancel(iteration=Iteration.objects.latest("pk"), by=None)
    assert [key for _, key in outcomes(schedule)] == ["2026-05-21T02:00Z", "2026-05-22T02:00Z"]


def test_a_person_and_two_schedulers_start_one_iteration_between_them():
    schedule = schedule_make(kind="data", every=3)
    answers_make(schedule.project, 3)

    def by_hand():
        try:
            iterations.start(schedule.project)
        except IterationError:
            return 0
        return 1

    def run_now():
        try:
            schedule_run(schedule=schedule, by=None, now=NOON + hours(1))
        except ScheduleError:
            return 0
        return 1

    looks = [lambda: schedules_look(now=NOON + hours(1))] * 2
    assert sum(together([by_hand, run_now, *looks])) == 1
    assert Iteration.objects.count() == 1
