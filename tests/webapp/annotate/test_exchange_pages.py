"""Tasks in by upload, annotations out by download: pages, route and commands, for leads only."""

import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse

LINE = {"prompt": "2 + 2?", "steps": ["2 + 2 = 5", "So 5."], "reference": "4"}
LABELS = {"marks": [-1, None], "first_error": 0, "verdict": "wrong"}


def jsonl(*rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.fixture
def lead(project, make, client):
    person = make.member_make(project, "lead")
    client.force_login(person)
    return person


@pytest.fixture
def page(project):
    return reverse("tasks_import", args=[project.slug])


def send(client, page, data, **values):
    values = {"format": "plain", "kind": "step_critique", "labels": "beside", "do": "check", **values}
    return client.post(page, {"file": SimpleUploadedFile("rows.jsonl", data), **values})


def test_check_then_import(client, lead, page, project):
    from webapp.annotate.models import AnnotationTask

    checked = send(client, page, jsonl(LINE, LINE))
    assert checked.context["report"].already == 1
    assert not AnnotationTask.objects.exists()
    kept = {"kept": checked.context["kept"], "do": "import"}
    done = client.post(page, {"format": "plain", "kind": "step_critique", "labels": "beside", **kept})
    assert done.url == reverse("tasks", args=[project.slug])
    assert AnnotationTask.objects.count() == 1


def test_an_unusable_line_is_named(client, lead, page):
    answer = send(client, page, jsonl(LINE) + b"{\n")
    assert answer.status_code == 422
    assert "Line 2: not JSON" in answer.content.decode()
    assert send(client, page, jsonl(LINE) + b"{\n", skip_bad="on").context["report"].unusable == 1


def test_labels_as_my_answers_and_as_gold(client, lead, page):
    row = jsonl({**LINE, "labels": LABELS})
    assert send(client, page, row, labels="answers").context["report"].answers == 1
    assert send(client, page, row, labels="gold").context["report"].gold == 1


def test_no_file(client, lead, page):
    assert client.get(page).status_code == 200
    answer = client.post(page, {"format": "plain", "kind": "step_critique", "labels": "beside"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "name", ["tasks_import", "annotations_export", "annotations_download", "api:annotations_export"]
)
def test_leads_only(client, project, make, name):
    where = reverse(name, args=[project.slug])
    client.force_login(make.member_make(project))
    assert client.get(where).status_code == 403
    client.force_login(make.user_make())
    assert client.get(where).status_code == 404


def test_download(client, lead, project, django_assert_max_num_queries):
    from webapp.annotate.services.importing import tasks_import

    tasks_import(project=project, stream=io.BytesIO(jsonl(*[{**LINE, "prompt": f"{i}?"} for i in range(20)])))
    assert client.get(reverse("annotations_export", args=[project.slug])).status_code == 200
    with django_assert_max_num_queries(14):
        answer = client.get(reverse("annotations_download", args=[project.slug]))
        lines = b"".join(answer.streaming_content).splitlines()
    assert [json.loads(line)["type"] for line in lines].count("task") == 20
    same = client.get(reverse("api:annotations_export", args=[project.slug]))
    assert b"".join(same.streaming_content).splitlines() == lines
    assert (
        client.get(reverse("annotations_download", args=[project.slug]), {"format": "csv"}).status_code == 400
    )
    assert (
        client.get(reverse("api:annotations_export", args=[project.slug]), {"as": "csv"}).status_code == 400
    )


# --------------------------------------------------------------------------------------- formats, commands
@pytest.fixture
def run(tmp_path):
    def go(*words, data=b""):
        if data:
            (tmp_path / "in.jsonl").write_bytes(data)
        out = io.StringIO()
        call_command(*[str(tmp_path / w[1:]) if w.startswith("@") else w for w in words], stdout=out)
        return out.getvalue()

    return go


PRM = {
    "labeler": "somebody",
    "timestamp": "2022-07-30T23:23:32",
    "generation": 6,
    "is_quality_control_question": False,
    "question": {"problem": "2 + 2?", "ground_truth_answer": "4", "pre_generated_steps": ["4 =", "5", "so"]},
    "label": {
        "steps": [
            {
                "completions": [{"text": "4 =", "rating": 1, "flagged": None}],
                "human_completion": None,
                "chosen_completion": 0,
            },
            {
                "completions": [
                    {"text": "5", "rating": -1, "flagged": None},
                    {"text": "4", "rating": 1, "flagged": False},
                ],
                "human_completion": None,
                "chosen_completion": None,
            },
        ],
        "total_time": 164458,
        "finish_reason": "found_error",
    },
}
PROCESS = {
    "id": "a",
    "problem": "q",
    "steps": ["a", "b"],
    "final_answer_correct": False,
    "label": 1,
    "generator": "m",
}
MISTAKE = {"input": "q", "steps": ["a", "b"], "target": "1", "answer": "2", "mistake_index": 0}
MR_BEN = {
    "Question_UUID": "u",
    "Question": "q",
    "Options": "A: 4",
    "Ground_Truth_Answer_Modified": "A",
    "Model_Solution_Steps": ["Step 1: a", "", "Step 2: b"],
    "Model_Solution_Correctness": "incorrect",
    "Model_Solution_First_Error_Step": "2",
    "Model_Solution_Error_Reason": ["no\n", "wrong"],
    "Model_Solution_Rectified_First_Error_Step": ["Step 2: c"],
}
PLAIN = {**LINE, "labels": LABELS, "seconds": 2.5, "external_id": "x", "topic": ["sums"]}


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("prm800k", PRM),
        ("processbench", PROCESS),
        ("big_bench_mistake", MISTAKE),
        ("mr_ben", MR_BEN),
        ("plain", PLAIN),
    ],
)
@pytest.mark.parametrize("stored", ["beside", "answers"])
def test_a_row_comes_out_as_it_went_in(run, tmp_path, project, make, name, row, stored):
    person = make.member_make(project)
    as_answers = ["--answers", "--as", person.username] if stored == "answers" else []
    run("tasks_import", project.slug, "@in.jsonl", "--format", name, *as_answers, data=jsonl(row))
    run("annotations_export", project.slug, "--format", name, "-o", "@out.jsonl")
    (written,) = (tmp_path / "out.jsonl").read_bytes().splitlines()
    written = json.loads(written)
    if name == "plain" and stored == "answers":  # an answer is kept in full
        assert row["labels"].items() <= written.pop("labels").items()
        assert written == {k: v for k, v in row.items() if k != "labels"}
    else:
        assert written == row


def test_an_alternative_and_a_final_word_go_out(run, tmp_path, project, make, person, submit, iteration):
    from webapp.annotate import services
    from webapp.annotate.models import Regeneration
    from webapp.annotate.services.review import adjudicate

    task = make.task_make(iteration, overlap=2)
    asked = Regeneration.objects.create(
        project=project, task=task, author=person, response=task.response, step=1, state="done"
    )
    other = make.response_make(
        task.prompt,
        "2 + 2 = 4",
        "4 + 1 = 5",
        "x",
        origin="continuation",
        parent=task.response,
        regeneration=asked,
    )
    said = {"marks": [1, -1, None], "first_error": 1, "verdict": "wrong"}
    said["branches"] = [{"step": 1, "response": str(other.pk), "mark": 1, "chosen": True}]
    submit(services.assignment_claim(user=person, project=project), payload=said)

    def out():
        run("annotations_export", project.slug, "--format", "prm800k", "-o", "@out.jsonl")
        return [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]

    (row,) = out()
    assert row["labeler"] == person.username
    assert [c["text"] for c in row["label"]["steps"][1]["completions"]] == ["4 + 1 = 6", "4 + 1 = 5"]
    assert row["label"]["steps"][1]["chosen_completion"] == 1
    word = {"marks": [-1, None, None], "first_error": 0, "verdict": "wrong"}
    lead = make.member_make(project, "lead")
    adjudicate(by=lead, task=task, payload=word)
    (row,) = out()
    assert (row["labeler"], len(row["label"]["steps"])) == (lead.username, 1)


def test_training_formats_come_with_a_manifest(run, tmp_path, project):
    run("tasks_import", project.slug, "@in.jsonl", data=jsonl(PLAIN))
    run(
        "annotations_export",
        project.slug,
        "--format",
        "trl_stepwise",
        "--neutral",
        "negative",
        "-o",
        "@t.jsonl",
    )
    assert json.loads((tmp_path / "t.jsonl").read_bytes()) == {
        "prompt": "2 + 2?",
        "completions": ["2 + 2 = 5"],
        "labels": [False],
    }
    manifest = json.loads((tmp_path / "t.jsonl.manifest.json").read_bytes())
    assert (manifest["neutral"], manifest["project"]) == ("negative", project.slug)


def test_raw_there_and_back(run, project, make):
    run("tasks_import", project.slug, "@in.jsonl", data=jsonl(PLAIN, LINE | {"prompt": "other"}))
    run("annotations_export", project.slug, "-o", "@raw.jsonl")
    other = make.project_make()
    assert "Imported 2 tasks" in run("annotations_import", other.slug, "@raw.jsonl")
    with pytest.raises(CommandError, match="already"):
        run("annotations_import", other.slug, "@raw.jsonl")


def test_the_commands_say_what_is_wrong(run, project):
    with pytest.raises(CommandError, match="There is no project called nowhere"):
        run("tasks_import", "nowhere", "@in.jsonl")
    with pytest.raises(CommandError, match="line 1: prompt: expected text"):
        run("tasks_import", project.slug, "@in.jsonl", data=jsonl({"response": "a"}))
    with pytest.raises(CommandError, match="belong together"):
        run("tasks_import", project.slug, "@in.jsonl", "--answers")
    with pytest.raises(CommandError, match="no account called nobody"):
        run("tasks_import", project.slug, "@in.jsonl", "--answers", "--as", "nobody")
    said = run("tasks_import", project.slug, "@in.jsonl", "--skip-bad", data=jsonl({"response": "a"}, LINE))
    assert said.splitlines()[:1] == ["Made 1 tasks of 1 lines, over 1 new prompts."]
    assert "  line 1: prompt: expected text" in said
