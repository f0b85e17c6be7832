"""The report of an iteration: whole, self-contained, and harmless whatever a model wrote."""

import base64
import hashlib
import re

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from tests import factories as make
from tests import stories
from webapp.iterations.models import Iteration
from webapp.metrics.models import Alarm, MetricValue
from webapp.metrics.report.markdown import fenced, plain
from webapp.projects.models import Role
from webapp.traces.models import Response

pytestmark = pytest.mark.django_db
HOSTILE = "</pre><script>alert(1)</script>\n````\n# not a heading\n<img src=http://e.org/x>"


@pytest.fixture
def past():
    return stories.past_make()


def get(client, user, project, number=1, kind="html", query=""):
    client.force_login(user)
    return client.get(reverse("iteration_report", args=[project.slug, number, kind]) + query)


def text_of(client, past, kind):
    return get(client, past.lead, past.project, past.done.number, kind).content.decode()


# ---- what it says


@pytest.mark.parametrize("kind", ["html", "md"])
def test_it_says_whether_it_is_better_and_why(client, past, kind):
    text = text_of(client, past, kind)
    for said in (
        "Promoted",
        "Held-out 33.3\u202f% → 66.7\u202f%: +33.3 points (95 % 30.3 to 36.3,",
        "the guards hold",
        "None went off.",
        "wrong by the checker",
        "Turned right",
        "Trained on the same rows with shuffled labels",
        "rest-em v1",
    ):
        assert said in text, said


def test_alarms_come_with_what_to_do_and_what_was_done(client, past):
    Alarm.objects.create(
        project=past.project, iteration=past.done, key="forgetting", level="bad", text="6 <points>",
        seen_at="2026-01-01T00:00Z", seen_by=past.lead, note="replayed",
    )  # fmt: skip
    html, md = (text_of(client, past, kind) for kind in ("html", "md"))
    assert "6 &lt;points&gt;" in html
    assert "**Forgetting** (bad). 6 \\<points\\>\n  What to do: Read which" in md
    assert "Dealt with: replayed" in md


def test_metrics_stand_with_intervals_and_change(client):
    story = stories.measured_past()
    told = MetricValue.objects.filter(iteration__number=6, name="kept_right")
    told.update(detail={"interval": "Wilson"})
    text = get(client, story.lead, story.project, 6).content.decode()
    assert "97.0 to 99.0 (Wilson)" in text
    assert "95 % interval" in text
    assert "iteration 5" in text
    assert '<svg class="chart"' in text


def test_an_iteration_under_way_and_one_without_anything(client):
    project = make.project_make()
    lead = make.member_make(project, role=Role.LEAD)
    make.iteration_make(project)
    assert "Under way" in get(client, lead, project).content.decode()
    assert "Under way" in get(client, lead, project, kind="md").content.decode()


# ---- what it may do


def test_the_file_allows_itself_one_style_sheet_and_nothing_else(client, past):
    response = get(client, past.lead, past.project, past.done.number)
    html = response.content.decode()
    style = re.search("<style>(.*?)</style>", html, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    for policy in (response["Content-Security-Policy"], re.search('Policy" content="(.*?)"', html).group(1)):
        allowed = policy.replace("&#x27;", "'")
        assert f"style-src 'sha256-{digest}'" in allowed
        assert "default-src 'none'" in allowed
        assert "script-src" not in allowed
    assert not re.search(r"<(script|link|img|iframe)|\sstyle=|\ssrc=|\shref=|url\(|@import", html)


def test_what_a_model_wrote_cannot_break_out(client, past):
    Response.objects.update(text=HOSTILE)
    past.project.prompts.update(text=HOSTILE)
    html, md = (text_of(client, past, kind) for kind in ("html", "md"))
    assert "<script" not in html
    assert "<img" not in html
    assert f"`````text\n{HOSTILE}\n`````" in md
    outside = re.sub(r"`````text\n.*?\n`````", "", md, flags=re.DOTALL)
    assert "<" not in outside.replace("\\<", "")


def test_a_fence_is_longer_than_any_run_within():
    assert fenced("a") == "```text\na\n```"
    assert fenced("``` ````").startswith("`````text")
    assert plain("a|b\n# [x](y)") == "a\\|b \\# \\[x\\](y)"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("ask @ann, $5", "ask @\u2060ann, \\$5"),
        ("http://e.org or WWW.e.org", "http:\u2060//e.org or WWW\u2060.e.org"),
        ("1. first", "1\\. first"), ("12)", "12\\)"), ("- a", "\\- a"), ("+ a", "\\+ a"),
        ("---", "\\---"), ("==", "\\=="), ("-", "\\-"),
        ("0.62", "0.62"), ("1.5 to 2", "1.5 to 2"), ("+3.2 points", "+3.2 points"), ("-5", "-5"),
    ],
)  # fmt: skip
def test_people_write_text_not_markdown(text, written):
    assert plain(text) == written


# ---- who gets it


def test_it_is_read_or_kept(client, past):
    number = past.done.number
    name = f'filename="{past.project.slug}-iteration-{number}'
    assert get(client, past.lead, past.project, number)["Content-Disposition"] == f'inline; {name}.html"'
    assert get(client, past.lead, past.project, number, query="?download")["Content-Disposition"] == (
        f'attachment; {name}.html"'
    )
    assert (
        get(client, past.lead, past.project, number, "md")["Content-Disposition"] == f'attachment; {name}.md"'
    )
    assert get(client, past.lead, past.project, number, "pdf").status_code == 404
    assert get(client, past.lead, past.project, 99).status_code == 404
    assert get(client, make.user_make(), past.project, number).status_code == 404


def test_while_people_compare_blindly_outcomes_wait_for_who_is_no_lead(client, past):
    Iteration.objects.filter(pk=past.waiting.pk).update(stage="promote")
    viewer = make.member_make(past.project, role=Role.VIEWER)
    shown = get(client, viewer, past.project, past.done.number).content.decode()
    assert "comparing both models blindly" in shown
    assert "Turned right" not in shown
    assert "Turned right" in text_of(client, past, "html")


def test_it_costs_a_fixed_number_of_queries(client, past, django_assert_max_num_queries):
    client.force_login(past.lead)
    address = reverse("iteration_report", args=[past.project.slug, past.done.number, "html"])
    with django_assert_max_num_queries(20):
        client.get(address)


# ---- the command


def test_the_command_writes_either_kind(past, tmp_path, capsys):
    for kind in ("html", "md"):
        path = tmp_path / f"report.{kind}"
        call_command("iteration_report", str(path), project=past.project.slug, iteration=past.done.number)
        assert "Promoted" in path.read_text()
    for project, number, name, says in (
        (past.project.slug, 1, "report.txt", "must end in"),
        ("nowhere", 1, "report.md", "no project"),
        (past.project.slug, 99, "report.md", "no iteration 99"),
    ):
        with pytest.raises(CommandError, match=says):
            call_command("iteration_report", str(tmp_path / name), project=project, iteration=number)
