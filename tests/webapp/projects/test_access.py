"""Who may see and do what: outsiders learn nothing, each role has its pages, superusers have all."""

from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import get_resolver, reverse

from tests import factories as make
from webapp.projects.models import Role
from webapp.projects.selectors import project_for

pytestmark = pytest.mark.django_db
ROLES = [Role.VIEWER, Role.ANNOTATOR, Role.LEAD, Role.ADMIN]
NONE = UUID(int=0)

# address name, further arguments, method, least role
PAGES = [
    ("project", [], "get", Role.VIEWER),
    ("project_live", [], "get", Role.VIEWER),
    ("guidelines", [], "get", Role.VIEWER),
    ("guidelines_version", [1], "get", Role.VIEWER),
    ("guidelines_read", [1], "post", Role.VIEWER),
    ("guidelines_diff", [], "get", Role.VIEWER),
    ("guidelines_write", [], "get", Role.LEAD),
    ("guidelines_write", [], "post", Role.LEAD),
    ("tasks", [], "get", Role.ANNOTATOR),
    ("me", [], "get", Role.ANNOTATOR),
    ("people", [], "get", Role.LEAD),
    ("person", [0], "get", Role.LEAD),
    ("agreement", [], "get", Role.VIEWER),
    ("members", [], "get", Role.ADMIN),
    ("members", [], "post", Role.ADMIN),
    ("member_remove", [0], "post", Role.ADMIN),
    ("prompts", [], "get", Role.VIEWER),
    ("prompt", [0], "get", Role.VIEWER),
    ("prompts_import", [], "get", Role.LEAD),
    ("prompts_import", [], "post", Role.LEAD),
    ("iterations", [], "get", Role.VIEWER),
    ("iteration_start", [], "get", Role.LEAD),
    ("iteration_start", [], "post", Role.LEAD),
    ("iteration", [0], "get", Role.VIEWER),
    ("iteration_live", [0], "get", Role.VIEWER),
    ("iteration_act", [0, "pause"], "post", Role.LEAD),
    ("models", [], "get", Role.VIEWER),
    ("model", [0], "get", Role.VIEWER),
    ("champion_change", [0, "promote"], "get", Role.LEAD),
    ("champion_change", [0, "roll-back"], "post", Role.LEAD),
    ("model_card", [0], "get", Role.VIEWER),
    ("model_import", [], "get", Role.LEAD),
    ("model_import", [], "post", Role.LEAD),
    ("models_keep", [], "post", Role.LEAD),
    ("model_note", [0], "post", Role.LEAD),
    ("model_check", [0], "post", Role.LEAD),
    ("model_merge", [0], "post", Role.LEAD),
    ("model_adapter", [0], "get", Role.LEAD),
    ("model_merged", [0], "get", Role.LEAD),
    ("models_compare", [], "get", Role.VIEWER),
    ("models_measure", [], "post", Role.LEAD),
    ("examples", [], "get", Role.VIEWER),
    ("example", [0], "get", Role.VIEWER),
    ("examples_decide", [], "post", Role.LEAD),
    ("rejection_undo", [0], "post", Role.LEAD),
    ("datasets", [], "get", Role.VIEWER),
    ("dataset", [0], "get", Role.VIEWER),
    ("dataset_card", [0], "get", Role.VIEWER),
    ("datasets_diff", [], "get", Role.VIEWER),
    ("dataset_new", [], "get", Role.LEAD),
    ("dataset_new", [], "post", Role.LEAD),
    ("dataset_preview", [], "post", Role.LEAD),
    ("dataset_export", [0], "get", Role.LEAD),
    ("runs", [], "get", Role.VIEWER),
    ("run", [0], "get", Role.VIEWER),
    ("run_live", [0], "get", Role.VIEWER),
    ("run_points", [0], "get", Role.VIEWER),
    ("run_csv", [0], "get", Role.VIEWER),
    ("run_new", [], "get", Role.LEAD),
    ("run_new", [], "post", Role.LEAD),
    ("run_preview", [0], "get", Role.LEAD),
    ("run_act", [0, "pause"], "post", Role.LEAD),
    ("playground", [], "get", Role.LEAD),
    ("playground", [], "post", Role.LEAD),
    ("playground_talk", [NONE], "get", Role.LEAD),
    ("playground_live", [NONE], "get", Role.LEAD),
    ("playground_say", [NONE], "post", Role.LEAD),
    ("playground_cancel", [NONE], "post", Role.LEAD),
    ("playground_vote", [NONE], "post", Role.LEAD),
    ("playground_again", [NONE], "post", Role.LEAD),
    ("schedules", [], "get", Role.LEAD),
    ("schedule", [0], "get", Role.LEAD),
    ("schedule", [0], "post", Role.LEAD),
    ("schedule_new", [], "get", Role.ADMIN),
    ("schedule_new", [], "post", Role.ADMIN),
    ("schedule_describe", [], "post", Role.ADMIN),
    ("schedule_act", [0, "on"], "post", Role.ADMIN),
    ("notices", [], "get", Role.LEAD),
    ("notices", [], "post", Role.ADMIN),
    ("notice_act", [0, "on"], "post", Role.ADMIN),
    ("notice_retry", [NONE], "post", Role.ADMIN),
    ("metrics", [], "get", Role.VIEWER),
    ("metric", ["heldout_gain"], "get", Role.VIEWER),
    ("iterations_compare", [], "get", Role.VIEWER),
    ("figure", ["heldout-history", "svg"], "get", Role.VIEWER),
    ("lineage", [], "get", Role.VIEWER),
    ("trust", [], "get", Role.VIEWER),
    ("operations", [], "get", Role.LEAD),
    ("alarms", [], "get", Role.VIEWER),
    ("alarm_rule", ["collapse"], "post", Role.LEAD),
    ("alarm_seen", [0], "post", Role.LEAD),
    ("iteration_report", [0, "html"], "get", Role.VIEWER),
]
# Of the workspace; tests/webapp/annotate has who may open them.
ELSEWHERE = {
    "annotate", "answer", "answers", "answer_history", "task", "tree", "gold_make", "review", "review_task",
    "products_download", "tasks_import", "annotations_export", "annotations_download", "inbox", "queues",
    "queue",
}  # fmt: skip


def names(resolver, before=""):
    """Names of all addresses that begin with a project's."""
    for entry in resolver.url_patterns:
        address = f"{before}{entry.pattern}"
        if hasattr(entry, "url_patterns"):
            yield from names(entry, address)
        elif address.startswith("projects/<slug:slug>/"):
            yield entry.name


def test_no_page_of_a_project_is_left_out_here():
    assert set(names(get_resolver())) == {name for name, *_ in PAGES} | ELSEWHERE


@pytest.fixture
def project():
    return make.project_make(slug="here")


def ask(client, user, name, arguments, method):
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return getattr(client, method)(reverse(name, args=["here", *arguments])).status_code


@pytest.mark.parametrize(("name", "arguments", "method", "least"), PAGES)
def test_every_page_by_role(client, project, name, arguments, method, least):
    for role in ROLES:
        status = ask(client, make.member_make(project, role=role), name, arguments, method)
        allowed = ROLES.index(role) >= ROLES.index(least)
        assert (status != 403) == allowed, f"{role} {method} {name}: {status}"
        assert status != 500
    assert ask(client, make.user_make(), name, arguments, method) == 404  # outsiders: not even that it exists
    assert ask(client, make.user_make(is_superuser=True), name, arguments, method) != 403


@pytest.mark.parametrize(("name", "arguments", "method", "least"), PAGES)
def test_visitors_are_sent_to_sign_in(client, project, name, arguments, method, least):
    address = reverse(name, args=["here", *arguments])
    response = getattr(client, method)(address)
    assert response.status_code == 302
    assert response.url.startswith("/sign-in/?next=")


def test_the_look_up_is_the_check(project):
    annotator = make.member_make(project, role=Role.ANNOTATOR)
    assert project_for(annotator, "here").my_role is Role.ANNOTATOR
    assert project_for(annotator, "here", Role.ANNOTATOR) == project
    with pytest.raises(PermissionDenied, match=r"needs the role lead in .*; yours is annotator"):
        project_for(annotator, "here", Role.LEAD)
    with pytest.raises(Http404):
        project_for(make.user_make(), "here")
    with pytest.raises(Http404):
        project_for(annotator, "nowhere")
