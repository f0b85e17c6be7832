"""Guidelines: written with examples, previewed, compared, read; earlier versions stay as they were."""

import re

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from tests import factories as make
from webapp.annotate.models import Annotation
from webapp.projects.compare import lines_compared
from webapp.projects.models import GuidelineRead, GuidelineVersion, Role
from webapp.projects.services import ProjectError, guidelines_add, guidelines_read

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make.project_make(slug="here", name="Here")


@pytest.fixture
def enter(client, project):
    def as_role(role, where=None):
        user = make.member_make(where or project, role=role)
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return user

    return as_role


def form(text, *rows, do="save", **more):
    data = {"text": text, "do": do, "e-TOTAL_FORMS": len(rows), "e-INITIAL_FORMS": 0}
    for i, (step, mark, why) in enumerate(rows):
        data |= {f"e-{i}-text": step, f"e-{i}-mark": mark, f"e-{i}-why": why}
    return data | more


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


WRITE = "/projects/here/guidelines/write/"


# -------------------------------------------------------------------------------------------- services
def test_examples_are_kept_with_the_version_and_checked():
    project = make.project_make()
    version = guidelines_add(
        project=project, text="Be strict.", examples=[{"text": " 2 + 2 = 5 ", "mark": -1, "why": "It is 4."}]
    )
    assert version.examples == [{"text": "2 + 2 = 5", "mark": -1, "why": "It is 4."}]
    with pytest.raises(ProjectError, match="example 2 has no step"):
        guidelines_add(project=project, text="x", examples=[{"text": "a"}, {"text": " ", "mark": 1}])
    with pytest.raises(ProjectError, match="the mark 7"):
        guidelines_add(project=project, text="x", examples=[{"text": "a", "mark": 7}])
    assert GuidelineVersion.objects.count() == 1


def test_reading_twice_is_reading_once():
    project = make.project_make()
    version, user = make.guidelines_make(project), make.member_make(project)
    guidelines_read(user=user, version=version)
    guidelines_read(user=user, version=version)
    assert GuidelineRead.objects.get().user == user


def test_api_keeps_who_has_read(client, project, enter):
    version = make.guidelines_make(project)
    address = reverse("api:guidelines_read", args=[version.pk])
    assert client.post(address).status_code in (401, 403)
    user = enter(Role.VIEWER)
    assert [client.post(address).status_code for _ in range(2)] == [204, 204]
    assert GuidelineRead.objects.get().user == user
    foreign = make.guidelines_make(make.project_make())
    assert client.post(reverse("api:guidelines_read", args=[foreign.pk])).status_code == 404
    assert client.get(address).status_code == 405


# ----------------------------------------------------------------------------------------------- pages
def test_a_new_version_comes_only_when_something_changed(client, project, enter):
    lead = enter(Role.LEAD)
    row = ("2 + 2 = 5", "-1", "It is 4.")
    for data in (
        form("Be strict."),
        form("Be strict. "),
        form("Be strict.", row),
        form("Be strict.", row, ("", "", "")),
    ):
        assert client.post(WRITE, data).status_code == 302
    newest, first = GuidelineVersion.objects.all()
    assert (first.examples, newest.number) == ([], 2)
    assert newest.examples == [{"text": "2 + 2 = 5", "mark": -1, "why": "It is 4."}]
    assert GuidelineRead.objects.filter(user=lead).count() == 2  # whoever writes has read


def test_preview_shows_and_saves_nothing(client, project, enter):
    enter(Role.LEAD)
    data = form("Be **kind**. <script>x</script>", ("<b>1</b> + 1", "1", "yes"), do="preview")
    page = text_of(client.post(WRITE, data))
    assert "Preview, not saved yet" in page
    assert "<strong>kind</strong>" in page
    assert "<script>x" not in page
    assert "<b>1</b>" not in page
    assert GuidelineVersion.objects.count() == 0


def test_a_row_is_added_and_what_was_typed_stays(client, project, enter):
    enter(Role.LEAD)
    page = client.post(WRITE, form("Be kind.", ("one", "", ""), do="row")).content.decode()
    assert page.count('class="example-row"') == 2
    assert ">\none</textarea>" in page
    assert ">\nBe kind.</textarea>" in page
    assert client.get(WRITE).content.decode().count('class="example-row"') == 1


@pytest.mark.parametrize(
    "data",
    [
        form(""),
        form("x", ("", "1", "")),
        form("x", ("", "", "why only")),
        form("x", ("step", "9", "")),
        {"text": "x"},
        form("x", **{"e-TOTAL_FORMS": "many"}),
        form("x" * 50_001),
        form("x\0y"),
    ],
)
def test_what_cannot_be_saved_is_said_and_kept_on_the_page(client, project, enter, data):
    enter(Role.LEAD)
    assert client.post(WRITE, data).status_code == 422
    assert GuidelineVersion.objects.count() == 0


def test_versions_with_answers_and_readers(client, project, enter, django_assert_max_num_queries):
    lead = enter(Role.LEAD)
    versions = [make.guidelines_make(project, f"Version {i}") for i in (1, 2)]
    tom = make.member_make(project, username="tom")
    make.member_make(project, username="vera", role=Role.VIEWER)
    guidelines_read(user=lead, version=versions[1])
    task = make.task_make(make.iteration_make(project), overlap=3)
    for user in (lead, tom):
        Annotation.objects.create(
            task=task, user=user, payload={}, guideline_version=versions[0], submit_key=f"{user.pk:032}"
        )
    with django_assert_max_num_queries(16):
        page = text_of(client.get("/projects/here/guidelines/"))
    assert "2 answers under it · read by 0" in page
    assert "0 answers under it · read by 1" in page
    assert f"<span>{lead}</span>" in page
    assert '<p class="small">tom</p>' in page  # not yet; viewers are not asked
    assert "You have read this version" in page
    assert "Version 2 is in use" in text_of(client.get("/projects/here/guidelines/1/"))
    assert client.get("/projects/here/guidelines/9/").status_code == 404


def test_a_person_says_that_they_have_read_it(client, project, enter):
    version, user = make.guidelines_make(project), enter(Role.ANNOTATOR)
    page = text_of(client.get("/projects/here/guidelines/"))
    assert "I have read this version" in page
    assert "Who has read it" not in page
    assert client.post("/projects/here/guidelines/1/read/").status_code == 302
    assert GuidelineRead.objects.get().user == user
    assert "You have read" in text_of(client.get("/projects/here/guidelines/"))
    assert version.number == 1


def test_a_project_without_guidelines_says_so(client, project, enter):
    enter(Role.VIEWER)
    assert "No guidelines yet" in text_of(client.get("/projects/here/guidelines/"))
    assert client.get("/projects/here/guidelines/diff/").status_code == 302


def test_what_changed_is_shown(client, project, enter):
    enter(Role.VIEWER)
    guidelines_add(project=project, text="Same.\nA wrong number is wrong.")
    guidelines_add(
        project=project,
        text="Same.\nA wrong unit is wrong.",
        examples=[{"text": "5 m", "mark": 0, "why": ""}],
    )
    page = text_of(client.get("/projects/here/guidelines/diff/"))
    assert "From version 1 to 2" in page
    assert "<b>number</b>" in page
    assert "<b>unit</b>" in page
    assert "[0] 5 m" in page
    assert "say the same" in text_of(client.get("/projects/here/guidelines/diff/?from=2&to=2"))
    assert "From version 2 to 1" in text_of(client.get("/projects/here/guidelines/diff/?from=2&to=1"))
    assert client.get("/projects/here/guidelines/diff/?from=x&to=99999999999999999999").status_code == 200


# ---------------------------------------------------------------------------------------------- compare
def test_lines_and_words_by_hand():
    lines = lines_compared("a\nold word\nz", "a\nnew word\nz\nend")
    assert [(line.sign, line.text) for line in lines] == [
        (" ", "a"),
        ("-", "old word"),
        ("+", "new word"),
        (" ", "z"),
        ("+", "end"),
    ]
    assert lines[1].parts == ((True, "old"), (False, " word"))
    assert lines[2].parts == ((True, "new"), (False, " word"))


TEXT = st.text(alphabet="ab c\n", max_size=60)


@given(TEXT, TEXT)
def test_nothing_is_lost_in_comparing(old, new):
    lines = lines_compared(old, new)
    assert "".join(x.text for x in lines if x.sign != "+") == "".join(old.splitlines())
    assert "".join(x.text for x in lines if x.sign != "-") == "".join(new.splitlines())
    assert any(x.sign != " " for x in lines) == (old.splitlines() != new.splitlines())
