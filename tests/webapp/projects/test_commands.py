"""`project_create` and `prompts_import` as an operator meets them."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError

from tests import factories as make
from webapp.projects.models import Membership, Project, Prompt

pytestmark = pytest.mark.django_db


def run(capsys, *args):
    call_command(*args)
    return capsys.readouterr().out


def refused(*args):
    with pytest.raises(CommandError) as caught:
        call_command(*args)
    assert not isinstance(caught.value, SystemCheckError)
    return caught.value


@pytest.fixture
def file(tmp_path):
    def write(*lines, name="questions.jsonl"):
        path = tmp_path / name
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
        return str(path)

    return write


def test_project_create_on_the_seed_model(capsys):
    make.user_make(username="ada")
    out = json.loads(run(capsys, "project_create", "--name", "Word problems", "--admin", "ada", "--json"))
    project = Project.objects.get()
    assert out["slug"] == project.slug == "word-problems"
    assert (project.base, project.dialect) == ("seed", "terse")
    assert Membership.objects.get().user.username == "ada"


def test_project_create_on_another_model(capsys):
    out = run(capsys, "project_create", "--name", "Chat", "--base", "org/model")
    assert out == "Created project Chat (chat) on org/model.\n"
    assert Project.objects.get().dialect == "chat"


def test_project_create_refusals(capsys):
    make.project_make(slug="taken")
    error = refused("project_create", "--name", "Taken")
    assert error.returncode == 2
    assert "slug: Project with this Slug already exists." in str(error)
    assert "no account called nobody" in str(refused("project_create", "--name", "New", "--admin", "nobody"))
    assert Project.objects.count() == 1


def test_import_with_fields_and_pattern(capsys, file):
    project = make.project_make()
    path = file(
        {"question": "2 + 2?", "answer": "Add.\n#### 4", "id": "a"},
        {"question": "3?", "answer": "#### 3", "id": "b"},
    )
    out = run(
        capsys, "prompts_import", path, "--project", project.slug, "--text-field", "question",
        "--reference-field", "answer", "--reference-pattern", "#### (.+)", "--id-field", "id",
        "--split", "heldout", "--limit", "1", "--json",
    )  # fmt: skip
    assert json.loads(out)["by_split"] == {"heldout": 1}
    prompt = Prompt.objects.get()
    assert (prompt.reference, prompt.verifier, prompt.external_id) == ("4", "math_answer", "a")


def test_import_csv_and_words(capsys, file):
    project = make.project_make()
    path = file("prompt", "One?", "one", "One?", name="questions.csv")
    out = run(capsys, "prompts_import", path, "--project", project.slug)
    assert out.splitlines() == [
        "Imported 2 of 3 prompts of questions.csv (2 train).",
        "1 are here already and were left out: line 4.",
        "1 are near-copies of other imported prompts; they share a family.",
    ]
    out = run(capsys, "prompts_import", path, "--project", project.slug, "--split", "probe", "--dry-run")
    assert out.startswith("Would import 0 of 3")


def test_a_bad_line_is_named_and_nothing_is_imported(file):
    project = make.project_make()
    error = refused("prompts_import", file({"prompt": "One?"}, "{bad"), "--project", project.slug)
    assert error.returncode == 2
    assert str(error).startswith("questions.jsonl, line 2: not JSON")
    assert str(error).endswith("Nothing was imported.")
    assert not Prompt.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--project", "nowhere"], "There is no project called nowhere; there are: here."),
        (["--project", "here", "--text-field", "text"], "line 1: no field 'text'; there are: 'prompt'"),
        (["--project", "here", "--split", "attic"], "expected train, heldout or probe"),
        (["--project", "here", "--verifier", "oracle"], "invalid choice: 'oracle'"),
    ],
)
def test_import_refusals(file, arguments, why):
    make.project_make(slug="here")
    error = refused("prompts_import", file({"prompt": "One?"}), *arguments)
    assert why in str(error)


def test_a_missing_file(tmp_path):
    make.project_make(slug="here")
    error = refused("prompts_import", str(tmp_path / "gone.jsonl"), "--project", "here")
    assert "gone.jsonl cannot be read: No such file" in str(error)


@pytest.mark.data
def test_gsm8k(capsys, data_folder):
    project = make.project_make()
    out = run(
        capsys, "prompts_import", str(data_folder / "gsm8k" / "test.jsonl"), "--project", project.slug,
        "--text-field", "question", "--reference-field", "answer", "--reference-pattern", "#### (.+)",
        "--limit", "300", "--json",
    )  # fmt: skip
    assert json.loads(out)["imported"] == 300
    assert Prompt.objects.first().reference == "18"
