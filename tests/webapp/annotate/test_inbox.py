"""Flags: raised beside an item or by setting it aside; resolved by leads, with what was done."""

import re

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.errors import PayloadInvalid
from webapp.annotate.models import Assignment, Flag
from webapp.projects.models import AuditEvent, Role


@pytest.fixture
def lead(project, client):
    user = make.member_make(project, role=Role.LEAD)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return user


@pytest.fixture
def claim(project, iteration, person):
    make.task_make(iteration)
    return services.assignment_claim(user=person, project=project)


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def address(project):
    return reverse("inbox", args=[project.slug])


def test_a_flag_is_raised_once_however_often_it_is_sent(claim, person):
    first, again = (services.flag_raise(user=person, token=claim.token, note=" Units? ") for _ in range(2))
    assert first == again
    assert (first.note, first.reason, first.task, first.annotation) == ("Units?", "flag", claim.task, None)
    assert services.flag_raise(user=person, token=claim.token, note="Something else").pk != first.pk


def test_a_flag_raised_after_answering_knows_the_answer(claim, person, submit):
    made = submit(claim)
    assert services.flag_raise(user=person, token=claim.token, note="Hm").annotation == made


def test_only_on_ones_own_item_and_with_a_note(claim, person, project):
    with pytest.raises(PayloadInvalid, match="Say what"):
        services.flag_raise(user=person, token=claim.token, note="  ")
    with pytest.raises(PayloadInvalid, match="2000"):
        services.flag_raise(user=person, token=claim.token, note="x" * 2001)
    with pytest.raises(Assignment.DoesNotExist):
        services.flag_raise(user=make.member_make(project), token=claim.token, note="Not mine")


def test_the_route(claim, person):
    api = APIClient()
    api.force_authenticate(person)
    where = f"/api/assignments/{claim.token}/flag"
    assert api.post(where, {"note": "Look at this"}, format="json").json() == {"flag": Flag.objects.get().pk}
    assert api.post(where, {"note": ""}, format="json").status_code == 400
    api.force_authenticate(make.user_make())
    assert api.post(where, {"note": "Hello"}, format="json").status_code == 404


def test_resolving_says_what_was_done_and_may_withdraw_the_task(claim, person, project, lead):
    flag = services.flag_raise(user=person, token=claim.token, note="No question")
    services.flag_resolve(by=lead, flag=flag, resolution="Prompt removed", close=True)
    flag.refresh_from_db()
    claim.task.refresh_from_db()
    assert (flag.resolved_by, flag.resolution, claim.task.state) == (lead, "Prompt removed", "closed")
    at = flag.resolved_at
    assert services.flag_resolve(by=lead, flag=flag, resolution="Again").resolved_at == at
    event = AuditEvent.objects.get(verb="flag resolved")
    assert (event.data["resolution"], event.data["closed"]) == ("Prompt removed", True)


def test_the_page_lists_filters_and_resolves(client, lead, claim, person, project, submit, iteration):
    services.flag_raise(user=person, token=claim.token, note="Is this in scope?")
    make.task_make(iteration)
    other = services.assignment_claim(user=make.member_make(project), project=project)
    submit(other, outcome="bad_problem", payload={"reason": "Two answers fit."})
    page = client.get(address(project))
    assert [f.reason for f in page.context["page"]] == ["bad_problem", "flag"]
    assert "Two answers fit." in text_of(page)
    assert "Is this in scope?" in text_of(page)
    only = client.get(address(project), {"reason": "flag"})
    assert [f.reason for f in only.context["page"]] == ["flag"]
    flag = Flag.objects.get(reason="bad_problem")
    said = client.post(
        address(project), {"flag": flag.pk, "action": "resolve", "resolution": "Reworded"}, follow=True
    )
    assert [f.reason for f in said.context["page"]] == ["flag"]
    done = text_of(client.get(address(project), {"state": "resolved"}))
    assert "Reworded" in done
    assert "Resolved by" in done


def test_a_flag_of_another_project_cannot_be_resolved(client, lead, project, person, claim):
    elsewhere = make.task_make(make.iteration_make(make.project_make()))
    flag = Flag.objects.create(project=elsewhere.project, task=elsewhere, author=person, reason="flag")
    assert client.post(address(project), {"flag": flag.pk}).status_code == 404
    assert client.post(address(project), {"flag": "x"}).status_code == 404


def test_the_page_costs_the_same_for_more_flags(
    client, lead, project, claim, person, django_assert_max_num_queries
):
    for n in range(20):
        services.flag_raise(user=person, token=claim.token, note=f"Note {n}")
    with django_assert_max_num_queries(9):
        assert len(client.get(address(project)).context["page"]) == 20


def test_empty(client, lead, project):
    assert "The inbox is empty" in text_of(client.get(address(project)))
    assert "No flag fits" in text_of(client.get(address(project), {"reason": "give_up"}))
