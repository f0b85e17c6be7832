"""Home, project home, prompts and members as pages: what they say, and what their forms do."""

import io
import re

import pytest
from django.urls import reverse

from tests import factories as make
from tests.stories import past_make
from webapp.projects.models import Membership, Prompt, Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make.project_make(slug="here", name="Here")


@pytest.fixture
def enter(client, project):
    """Sign in as a member with this role."""

    def as_role(role):
        user = make.member_make(project, role=role)
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return user

    return as_role


def text_of(response):
    return re.sub(r"[ \n]+", " ", response.content.decode())


def test_one_project_is_home_several_are_listed(client, project, enter):
    user = enter(Role.VIEWER)
    assert client.get("/").url == "/projects/here/"
    assert "Here" in text_of(client.get("/?all=1"))
    other = make.project_make(name="There")
    Membership.objects.create(project=other, user=user, role=Role.VIEWER)
    make.project_make(name="Elsewhere")
    page = text_of(client.get("/"))
    assert "There" in page
    assert "Elsewhere" not in page


def test_an_empty_project_says_what_to_do_next(client, enter):
    enter(Role.LEAD)
    page = text_of(client.get("/projects/here/"))
    assert "First, the prompts" in page
    assert reverse("prompts_import", args=["here"]) in page


def test_project_home_shows_champion_intervals_and_what_waits(client, django_assert_max_num_queries):
    past = past_make(tasks=3)
    client.force_login(past.lead, backend="django.contrib.auth.backends.ModelBackend")
    with django_assert_max_num_queries(20):
        page = text_of(client.get(f"/projects/{past.project.slug}/"))
    assert "3 annotation tasks wait for you" in page
    assert "66.7\u202f%" in page  # 8 of 12
    assert "39.1\u202f%" in page  # Wilson, by hand
    assert "86.2\u202f%" in page
    assert "<strong>first</strong> wrong step" in page  # guidelines are markdown
    assert page.count('class="reach"') == 3  # base, champion, control
    assert "Yes:" in page


def test_members_are_added_changed_and_removed(client, project, enter):
    enter(Role.ADMIN)
    address = reverse("members", args=["here"])
    client.post(address, {"username": "ada", "role": "annotator", "password": "long enough 7"})
    ada = Membership.objects.get(user__username="ada")
    client.post(address, {"user": ada.user_id, "role": "lead"})
    ada.refresh_from_db()
    assert ada.role == Role.LEAD
    client.post(reverse("member_remove", args=["here", ada.user_id]))
    assert not Membership.objects.filter(pk=ada.pk).exists()
    refused = client.post(address, {"username": "nobody", "role": "viewer", "password": ""})
    assert refused.status_code == 422
    assert "give a first password" in text_of(refused)


def test_prompts_are_filtered_searched_and_paged(client, project, enter, django_assert_max_num_queries):
    for n in range(60):
        make.prompt_make(project, f"Train question {n}", external_id=f"q-{n}")
    make.prompt_make(project, "A held-out question", split="heldout")
    enter(Role.VIEWER)
    address = reverse("prompts", args=["here"])
    with django_assert_max_num_queries(8):
        first = text_of(client.get(address))
    assert "1–50 of 61" in first
    assert "Train question 59" in text_of(client.get(address, {"page": 2}))
    assert "A held-out question" in text_of(client.get(address, {"split": "heldout"}))
    found = text_of(client.get(address, {"q": "question 59"}))
    assert "Train question 59" in found
    assert "Train question 58" not in found
    assert "Train question 7<" in text_of(client.get(address, {"q": "q-7"}))
    assert "No prompt fits" in text_of(client.get(address, {"q": "zebra"}))
    assert client.get(address, {"split": "attic", "page": "x"}).status_code == 200


def test_a_prompt_with_its_responses(client, project, enter, django_assert_max_num_queries):
    prompt = make.prompt_make(project, "<b>How</b> many?")
    for _ in range(12):
        make.response_make(prompt, verdict="wrong")
    enter(Role.LEAD)
    with django_assert_max_num_queries(10):
        page = text_of(client.get(reverse("prompt", args=["here", prompt.pk])))
    assert "&lt;b&gt;How&lt;/b&gt;" in page
    assert page.count('class="response"') == 10
    other = make.prompt_make(make.project_make())
    assert client.get(reverse("prompt", args=["here", other.pk])).status_code == 404


@pytest.mark.parametrize("role", list(Role))
def test_only_leads_see_what_would_bias_an_annotator(client, project, enter, role):
    secrets = ["the-reference", "the-response", "<strong>wrong</strong>", "the-program"]
    prompt = make.prompt_make(
        project, "How many?", split="heldout", reference="the-reference", meta={"program": "the-program"}
    )
    make.response_make(prompt, "the-response", verdict="wrong")
    enter(role)
    page = text_of(client.get(reverse("prompt", args=["here", prompt.pk])))
    assert "How many?" in page
    assert "<dd>heldout</dd>" in page
    assert [s in page for s in secrets] == [role in (Role.LEAD, Role.ADMIN)] * 4
    listed = text_of(client.get(reverse("prompts", args=["here"])))
    assert "How many?" in listed
    assert ("the-reference" in listed) == (role in (Role.LEAD, Role.ADMIN))


def upload(text, name="questions.jsonl"):
    file = io.BytesIO(text.encode())
    file.name = name
    return file


FIELDS = {"text_field": "q", "reference_field": "a", "verifier": "math_answer", "place": "train"}


def test_import_is_checked_first_and_then_done_with_the_kept_file(client, project, enter):
    enter(Role.LEAD)
    address = reverse("prompts_import", args=["here"])
    lines = '{"q": "1+1?", "a": "2"}\n{"q": "1+1?", "a": "2"}\n'
    checked = client.post(address, {**FIELDS, "do": "check", "file": upload(lines)})
    page = text_of(checked)
    assert "1 of 2 would be imported" in page
    assert "Here already, left out" in page
    assert not Prompt.objects.exists()
    kept = checked.context["kept"]
    done = client.post(address, {**FIELDS, "do": "import", "kept": kept}, follow=True)
    assert "1 of 2 prompts imported. 1 were here already." in text_of(done)
    assert Prompt.objects.get().reference == "2"
    gone = client.post(address, {**FIELDS, "do": "import", "kept": kept})
    assert "not here any more" in text_of(gone)


def test_a_bad_line_is_shown_and_the_file_is_kept(client, project, enter):
    enter(Role.LEAD)
    address = reverse("prompts_import", args=["here"])
    response = client.post(
        address, {**FIELDS, "do": "import", "file": upload('{"q": "1+1?", "a": "2"}\n{"x": 1}')}
    )
    assert response.status_code == 422
    assert "Line 2 of questions.jsonl cannot be used" in text_of(response)
    assert response.context["kept"]
    assert not Prompt.objects.exists()


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "Choose a file."),
        ({"kept": "forged"}, "choose it again"),
        ({"file": "x", "reference_field": "", "reference_pattern": "x"}, "Name the field"),
        ({"file": "x", "place": "attic"}, "Select a valid choice"),
    ],
)
def test_import_forms_that_do_not_hold(client, project, enter, values, why):
    enter(Role.LEAD)
    if "file" in values:
        values = {**values, "file": upload('{"q": "1+1?"}')}
    response = client.post(reverse("prompts_import", args=["here"]), {**FIELDS, "do": "check", **values})
    assert response.status_code == 422
    assert why in text_of(response)


def test_a_kept_file_serves_its_own_project_only(client, project, enter):
    enter(Role.LEAD)
    lines = '{"q": "1+1?", "a": "2"}'
    checked = client.post(
        reverse("prompts_import", args=["here"]), {**FIELDS, "do": "check", "file": upload(lines)}
    )
    other = make.project_make()
    user = make.member_make(other, role=Role.LEAD)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    address = reverse("prompts_import", args=[other.slug])
    response = client.post(address, {**FIELDS, "do": "import", "kept": checked.context["kept"]})
    assert "choose it again" in text_of(response)
