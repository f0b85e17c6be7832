"""The alarms page: what needs a look, who may deal with it, and the rules to set."""

import pytest
from django.urls import reverse

from tests import factories as make
from webapp.metrics.alarms_page import alarms_of
from webapp.metrics.models import Alarm, AlarmRule
from webapp.projects.models import AuditEvent, Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make.project_make()


@pytest.fixture
def lead(client, project):
    lead = make.member_make(project, role=Role.LEAD)
    client.force_login(lead)
    return lead


def alarm_make(iteration, key="forgetting", level="bad", **values):
    values = {"text": "6.0 points <b>below</b>", "metric": "forgetting", **values}
    return Alarm.objects.create(
        project=iteration.project, iteration=iteration, key=key, level=level, **values
    )


def address(project):
    return reverse("alarms", args=[project.slug])


def test_open_alarms_come_newest_first_with_what_to_do(client, project, lead, django_assert_max_num_queries):
    old, new = make.iteration_make(project), make.iteration_make(project)
    alarm_make(old, "diversity_loss", "warn")
    alarm_make(new, "filter_idle", "warn", held=True)
    alarm_make(new)
    for n in range(30):
        alarm_make(make.iteration_make(project, number=100 + n), seen_by=lead, seen_at="2026-01-01T00:00Z")
    with django_assert_max_num_queries(15):
        page = client.get(address(project)).content.decode()
    titles = [page.index(t) for t in (">Forgetting <", ">Filter does nothing <", ">Diversity loss <")]
    assert titles == sorted(titles)
    assert f'href="/projects/{project.slug}/metrics/forgetting/"' in page
    assert "&lt;b&gt;below&lt;/b&gt;" in page
    assert "Read which probe prompts were lost." in page
    assert "holds the champion" in page
    assert f'href="/projects/{project.slug}/examples/?iteration={new.number}"' in page
    assert "1–20 of 30" in page


def test_a_page_without_alarms_says_so(client, project, lead):
    assert "When an iteration collapses" in client.get(address(project)).content.decode()


def test_an_alarm_is_dealt_with_once_with_a_note(client, project, lead):
    alarm = alarm_make(make.iteration_make(project))
    for note in ("replayed", "again"):
        client.post(reverse("alarm_seen", args=[project.slug, alarm.pk]), {"note": note})
    alarm.refresh_from_db()
    assert (alarm.note, alarm.seen_by) == ("replayed", lead)
    page = client.get(address(project)).content.decode()
    assert "replayed" in page
    assert "Nothing needs a look" in page
    assert AuditEvent.objects.get().target == "Iteration 1: Forgetting"


def test_who_is_no_lead_reads_only(client, project):
    alarm = alarm_make(make.iteration_make(project))
    client.force_login(make.member_make(project, role=Role.VIEWER))
    page = client.get(address(project)).content.decode()
    assert "Forgetting" in page
    assert "<button class" not in page.split("<main")[1].split("</main")[0]
    assert client.post(reverse("alarm_seen", args=[project.slug, alarm.pk])).status_code == 403
    assert client.post(reverse("alarm_rule", args=[project.slug, "forgetting"])).status_code == 403
    client.force_login(make.user_make())
    assert client.get(address(project)).status_code == 404


def test_an_alarm_of_another_project_is_not_found(client, project, lead):
    alarm = alarm_make(make.iteration_make(make.project_make()))
    assert client.post(reverse("alarm_seen", args=[project.slug, alarm.pk])).status_code == 404


def save(client, project, key="forgetting", **values):
    return client.post(reverse("alarm_rule", args=[project.slug, key]), values)


def test_a_rule_is_set_in_the_units_of_the_page_and_reset(client, project, lead):
    assert save(client, project, limit="5", enabled="on", hold="on").status_code == 302
    rule = AlarmRule.objects.get()
    assert (rule.limit, rule.enabled, rule.hold, rule.changed_by) == (0.05, True, True, lead)
    assert "usual 2" in client.get(address(project)).content.decode()
    save(client, project, reset="1")
    assert not AlarmRule.objects.exists()


def test_the_usual_limit_is_no_setting_of_ones_own(client, project, lead):
    save(client, project, limit="", enabled="on")
    assert AlarmRule.objects.get().limit is None
    save(client, project, limit="2", enabled="on")
    assert AlarmRule.objects.get().limit is None


def test_a_limit_that_makes_no_sense_is_said_beside_what_was_typed(client, project, lead):
    response = save(client, project, limit="500", enabled="on")
    page = response.content.decode()
    assert response.status_code == 422
    assert "Between 0 and 100." in page
    assert 'value="500' in page
    assert not AlarmRule.objects.exists()
    assert save(client, project, key="nothing").status_code == 404


def test_who_compares_blindly_is_not_told_about_the_challenger(client, project):
    iteration = make.iteration_make(project, stage="promote")
    alarm_make(iteration, "length_hacking", text="1.4 times as long")
    alarm_make(iteration, "filter_idle", "warn", text="half is wrong")
    for role, told in ((Role.ANNOTATOR, False), (Role.LEAD, True)):
        client.force_login(make.member_make(project, role=role))
        page = client.get(address(project)).content.decode()
        assert "half is wrong" in page
        assert ("1.4 times as long" in page) is told
    assert len(alarms_of(iteration)) == 2
    assert [row.alarm.key for row in alarms_of(iteration, told=False)] == ["filter_idle"]
