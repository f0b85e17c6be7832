"""Creating projects, adding people, changing roles, writing guidelines."""

import pytest

from tests import factories as make
from webapp.projects.models import AuditEvent, Membership, Project, Role
from webapp.projects.services import (
    ProjectError,
    guidelines_add,
    member_add,
    member_remove,
    member_set,
    project_create,
)

pytestmark = pytest.mark.django_db


def test_creator_becomes_administrator_and_it_is_recorded():
    user = make.user_make()
    project = project_create(name="Words", slug="words", base="org/model", created_by=user)
    assert Membership.objects.get(project=project).role == Role.ADMIN
    event = AuditEvent.objects.get()
    assert (event.verb, event.actor, event.target) == ("project created", user, "words")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"slug": "no spaces please"}, "slug"),
        ({"slug": "taken"}, "slug"),
        ({"name": ""}, "name"),
        ({"base": ""}, "base"),
        ({"dialect": "latin"}, "no dialect called 'latin'"),
    ],
)
def test_a_project_that_cannot_be(values, why):
    make.project_make(slug="taken")
    with pytest.raises(ProjectError, match=why):
        project_create(**{"name": "Words", "slug": "words", "base": "org/model", **values})
    assert Project.objects.count() == 1


def test_role_is_given_then_changed_then_left_alone():
    project, user = make.project_make(), make.user_make()
    member_set(project=project, user=user, role="viewer")
    member_set(project=project, user=user, role="lead")
    member_set(project=project, user=user, role="lead")
    assert Membership.objects.get(project=project, user=user).role == Role.LEAD
    changes = (
        AuditEvent.objects.filter(verb="role set").order_by("id").values_list("data__before", "data__role")
    )
    assert list(changes) == [(None, "viewer"), ("viewer", "lead")]


def test_the_last_administrator_stays():
    project = make.project_make()
    admin = make.member_make(project, role=Role.ADMIN)
    with pytest.raises(ProjectError, match="only administrator"):
        member_set(project=project, user=admin, role="viewer")
    with pytest.raises(ProjectError, match="only administrator"):
        member_remove(project=project, user=admin)
    second = make.member_make(project, role=Role.ADMIN)
    member_remove(project=project, user=admin, by=second)
    assert list(Membership.objects.filter(project=project).values_list("user", flat=True)) == [second.pk]


def test_adding_somebody_with_and_without_an_account():
    project, known = make.project_make(), make.user_make(username="known")
    member, made = member_add(project=project, username="known", role="annotator")
    assert (member.user, made) == (known, False)
    member, made = member_add(project=project, username="fresh", role="viewer", password="long enough 7")
    assert made
    assert member.user.check_password("long enough 7")
    with pytest.raises(ProjectError, match="give a first password"):
        member_add(project=project, username="nobody", role="viewer")
    with pytest.raises(ProjectError, match="has an account already"):
        member_add(project=project, username="known", role="viewer", password="long enough 7")
    with pytest.raises(ProjectError, match="too short"):
        member_add(project=project, username="weak", role="viewer", password="abc")


def test_guidelines_are_numbered_and_never_empty():
    project = make.project_make()
    assert [guidelines_add(project=project, text=t).number for t in ("one", "two")] == [1, 2]
    with pytest.raises(ProjectError, match="need some text"):
        guidelines_add(project=project, text="  \n")
