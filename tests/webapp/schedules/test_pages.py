"""The schedules pages: who sees and who edits, what the form makes, what is said of it."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.urls import reverse

from tests import factories as make
from tests.webapp.iterations import support as iterations
from tests.webapp.schedules.support import answers_make, schedule_make
from webapp.iterations.models import Iteration
from webapp.projects.models import AuditEvent, Role
from webapp.schedules.models import Schedule
from webapp.schedules.services import schedules_look

pytestmark = pytest.mark.django_db

FORM = {
    "name": "Every fifty",
    "recipe": "rest-em",
    "changes": "annotate.take=0\nsettings.samples=2",
    "kind": "data",
    "every": "50",
    "counted": "number",
    "cron": "0 2 * * *",
    "zone": "Europe/Berlin",
    "min_hours": "6",
    "max_hours": "",
    "quiet_from": "08:00",
    "quiet_to": "18:00",
}


@pytest.fixture
def project():
    return iterations.project_with_prompts()


@pytest.fixture
def enter(client, project):
    def go(role):
        client.force_login(make.member_make(project, role=role))
        return client

    return go


def address(name, project, *more):
    return reverse(name, args=[project.slug, *more])


def test_an_administrator_makes_one_changes_it_and_runs_it(enter, project):
    client = enter(Role.ADMIN)
    made = client.post(address("schedule_new", project), FORM, follow=True)
    assert made.status_code == 200
    said = made.content.decode()
    assert "After every 50 newly accepted answers, at least 6 hours apart" in said
    assert ", not between 08:00 and 18:00 Europe/Berlin." in said
    schedule = Schedule.objects.get()
    assert (schedule.changes, schedule.planned.every) == (["annotate.take=0", "settings.samples=2"], 50)
    page = address("schedule", project, schedule.pk)
    changed = client.post(
        page, FORM | {"kind": "clock", "min_hours": "", "quiet_from": "", "quiet_to": ""}, follow=True
    )
    assert "Every day at 02:00 Europe/Berlin." in changed.content.decode()
    ran = client.post(address("schedule_act", project, schedule.pk, "run"), follow=True).content.decode()
    assert "Iteration 1 has started." in ran
    assert "asked for by hand" in ran
    again = client.post(address("schedule_act", project, schedule.pk, "run"), follow=True).content.decode()
    assert "Not started: Iteration 1 was still open." in again
    assert (
        "badge"
        in client.post(address("schedule_act", project, schedule.pk, "off"), follow=True).content.decode()
    )
    assert not Schedule.objects.get().enabled
    client.post(address("schedule_act", project, schedule.pk, "remove"))
    assert (Schedule.objects.count(), Iteration.objects.count()) == (0, 1)
    verbs = AuditEvent.objects.filter(project=project, verb__startswith="schedule").values_list(
        "verb", flat=True
    )
    assert set(verbs) == {
        "schedule made",
        "schedule changed",
        "schedule run by hand",
        "schedule switched off",
        "schedule removed",
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "clock", "cron": "0 2 * *"}, "A cron line has five parts"),
        ({"every": ""}, "A schedule by answers needs a number of answers."),
        ({"zone": "Mars/Crater"}, "No time zone called"),
        ({"quiet_to": ""}, "Quiet hours need both a beginning and an end."),
        ({"recipe": "nothing"}, "Select a valid choice"),
        ({"changes": "annotate.teka=0"}, "annotate.teka"),
    ],
)
def test_what_cannot_work_is_said_at_once(enter, project, changes, said):
    answer = enter(Role.ADMIN).post(address("schedule_new", project), FORM | changes)
    assert answer.status_code == 422
    assert said in answer.content.decode().replace("&#x27;", "'")
    assert not Schedule.objects.exists()


def test_the_form_is_described_while_it_is_filled_in(enter, project):
    client = enter(Role.ADMIN)
    half = FORM | {
        "name": "",
        "kind": "clock",
        "cron": "30 1,13 * * MON-FRI",
        "quiet_from": "",
        "quiet_to": "",
    }
    said = client.post(address("schedule_describe", project), half).json()
    assert said["words"] == "From Monday to Friday at 01:30, 13:30 Europe/Berlin, at least 6 hours apart."
    assert len(said["next"]) == 3
    broken = client.post(address("schedule_describe", project), half | {"cron": "never"}).json()
    assert broken["problem"].startswith("A cron line has five parts")


def test_leads_see_and_others_do_not(enter, project):
    schedule = schedule_make(project, kind="data", every=3)
    new, one = address("schedule_new", project), address("schedule", project, schedule.pk)
    lead = enter(Role.LEAD)
    shown = lead.get(address("schedules", project)).content.decode()
    assert "After every 3 newly accepted answers." in shown
    assert "Create a schedule" not in shown
    page = lead.get(one).content.decode()
    assert "What came of it" in page
    assert '<form method="post" class="form' not in page
    assert [lead.get(new).status_code, lead.post(one, FORM).status_code] == [403, 403]
    assert lead.post(address("schedule_act", project, schedule.pk, "run")).status_code == 403
    assert enter(Role.ANNOTATOR).get(address("schedules", project)).status_code == 403
    other = schedule_make(name="Elsewhere", kind="data", every=3)
    assert enter(Role.ADMIN).get(address("schedule", project, other.pk)).status_code == 404


def test_the_list_says_how_far_each_is_in_a_constant_number_of_queries(
    enter, project, django_assert_max_num_queries
):
    client = enter(Role.LEAD)
    for name in ("A", "B", "C"):
        schedule_make(project, name=name, kind="data", every=50)
    schedule_make(project, name="D", kind="clock", cron="0 2 * * *")
    schedule_make(project, name="E", kind="data", every=20, weighted=True)
    schedule_make(project, name="F", kind="drift", metric="samples_right", drop=0.05)
    answers_make(project, 4)
    schedules_look()
    with django_assert_max_num_queries(9):
        shown = client.get(address("schedules", project)).content.decode()
    assert shown.count("4 of 50 answers") == 3
    assert "weight at most 4 of 20" in shown
    assert "by 5 points below its best since the last start" in shown


def test_the_command_lists_them_as_json(project):
    schedule_make(project, kind="clock", cron="0 2 * * *")
    out = StringIO()
    call_command("schedules", project=project.slug, stdout=out)
    (row,) = json.loads(out.getvalue())
    assert (row["name"], row["words"], row["firings"]) == ("Nightly", "Every day at 02:00 UTC.", 0)
    assert row["next_at"].startswith("2026-05-21T02:00")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("*/15 * * * *", "Every 15 minutes, UTC."),
        ("5 * * * *", "Every hour at minute 5, UTC."),
        ("0 */6 * * *", "Every 6 hours at minute 0, UTC."),
        ("0 2 * * SUN,3", "Every Sunday, Wednesday at 02:00 UTC."),
        ("30 4 1 * *", "On day 1 of every month at 04:30 UTC."),
        ("0 2 L * *", "At the times of the cron line 0 2 L * *, UTC."),
        ("0 2 * 6 *", "At the times of the cron line 0 2 * 6 *, UTC."),
    ],
)
def test_cron_lines_in_words(line, said):
    from loop.schedule import Plan
    from webapp.schedules.words import plan_words

    assert plan_words(Plan(kind="clock", cron=line)) == said
