"""Bulk import of tasks: what is made, what is refused, and that a repeat adds nothing."""

import io
import json
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

LINE = {"prompt": "2 + 2?", "steps": ["2 + 2 = 5", "So 5."], "reference": "4"}
LABELS = {"marks": [-1, None], "first_error": 0, "verdict": "wrong", "corrections": {"0": "2 + 2 = 4"}}


def lines(*rows):
    return io.BytesIO(b"\n".join(r if isinstance(r, bytes) else json.dumps(r).encode() for r in rows))


@pytest.fixture
def load(project):
    from webapp.annotate.services.importing import tasks_import

    def go(*rows, **values):
        return tasks_import(project=project, stream=lines(*rows), **values)

    return go


@pytest.fixture
def refused(load):
    from webapp.annotate.models import AnnotationTask
    from webapp.annotate.services.importing import TasksRefused
    from webapp.projects.models import Prompt

    def go(*rows, **values):
        before = Prompt.objects.count()
        with pytest.raises(TasksRefused) as caught:
            load(*rows, **values)
        assert (AnnotationTask.objects.count(), Prompt.objects.count()) == (0, before)
        return caught.value

    return go


def test_a_line_becomes_a_prompt_a_response_and_a_task(load, project):
    from webapp.annotate.intake import RESPONSES
    from webapp.annotate.models import AnnotationTask, Queue
    from webapp.projects.models import AuditEvent, PromptFamily
    from webapp.projects.services.prompts import content_sha

    report = load({**LINE, "external_id": "a-1", "topic": "sums"})
    task = AnnotationTask.objects.select_related("prompt", "response").get()
    prompt, response = task.prompt, task.response
    assert (report.read, report.imported, report.prompts, report.already) == (1, 1, 1, 0)
    assert (prompt.text, prompt.reference, prompt.split) == ("2 + 2?", "4", "train")
    assert prompt.messages == [{"role": "user", "content": "2 + 2?"}]
    assert prompt.content_sha == content_sha(prompt.messages)
    assert PromptFamily.objects.filter(family=prompt.family, split="train", project=project).count() == 1
    assert [s.text for s in response.steps] == LINE["steps"]
    spans = json.dumps(response.step_spans, separators=(",", ":"))
    assert response.pk == uuid.uuid5(RESPONSES, f"{project.pk}/{prompt.content_sha}/{spans}/{response.text}")
    assert (response.prompt_id, response.token_ids, response.sampling) == (prompt.pk, [], {})
    assert task.meta == {
        "format": "plain",
        "row": {"subject": "steps", "extra": {"topic": "sums"}},
        "external_id": "a-1",
    }
    assert (task.kind, task.purpose, task.state, task.open_slots) == ("step_critique", "label", "open", 1)
    assert (task.gold, task.answers, task.iteration_id) == (None, 0, None)
    assert Queue.objects.filter(project=project, kind="step_critique").exists()
    assert AuditEvent.objects.get(verb="tasks imported").data["imported"] == 1


def test_tasks_are_made_as_the_queue_says(load, project):
    from webapp.annotate.models import AnnotationTask, Queue

    Queue.objects.create(
        project=project, kind="step_critique", overlap=3, show_model_critique=False, show_reference=True
    )
    load(LINE)
    task = AnnotationTask.objects.get()
    assert (task.overlap, task.open_slots) == (3, 3)
    assert (task.show_model_critique, task.show_reference) == (False, True)


def test_an_imported_task_can_be_claimed_and_answered(load, project, make):
    from webapp.annotate import services
    from webapp.traces.models import Critique

    load(LINE)
    person = make.member_make(project)
    claim = services.assignment_claim(user=person, project=project)
    services.annotation_submit(
        user=person, assignment_token=claim.token, submit_key=uuid.uuid4(), payload=LABELS
    )
    assert Critique.objects.get().first_error == 0


def test_a_repeat_adds_nothing_and_says_so(load):
    from webapp.annotate.models import AnnotationTask
    from webapp.traces.models import Response

    rows = [{**LINE, "steps": [f"{i}", "done"]} for i in range(5)]
    assert load(*rows, rows[0]).already == 1
    again = load(*rows, {**LINE, "prompt": "3 + 3?"})
    assert (again.imported, again.already, again.prompts) == (1, 5, 1)
    assert (AnnotationTask.objects.count(), Response.objects.count()) == (6, 6)


def test_solutions_of_one_prompt_share_it(load, project, make):
    from webapp.annotate.models import AnnotationTask

    report = load(*[{**LINE, "steps": [f"{i}"]} for i in range(3)])
    assert (report.imported, report.prompts) == (3, 1)
    assert AnnotationTask.objects.values("prompt").distinct().count() == 1


def test_preferences(load):
    from webapp.annotate.models import AnnotationTask
    from webapp.traces.models import Response

    row = {"prompt": "2 + 2?", "candidates": ["4", "2 + 2\n= 5", "five"]}
    assert load(row, row, kind="preference").already == 1
    task = AnnotationTask.objects.get()
    by_id = Response.objects.in_bulk(task.response_ids)
    assert [by_id[pk].text for pk in task.response_ids] == row["candidates"]
    assert (task.response_id, task.kind) == (None, "preference")
    assert load(row, kind="preference").already == 1
    turned = load({**row, "candidates": row["candidates"][:2]}, kind="preference")
    assert (turned.imported, turned.prompts, Response.objects.count()) == (1, 0, 3)


# ------------------------------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("row", "says"),
    [
        (b"{", "not JSON"),
        (b"[1]", "expected an object"),
        (b"[" * 100_000, "not JSON"),
        (b'{"prompt": "\xff", "response": "a"}', "not JSON"),
        ({"prompt": "q"}, "response: give one of"),
        ({**LINE, "prompt": "a\0"}, "prompt: holds a NUL"),
        ({**LINE, "topic": {"deep": ["a\0"]}}, "holds a NUL"),
        ({"prompt": "q", "candidates": ["a", "b"]}, "candidates: responses to compare"),
    ],
)
def test_the_line_and_the_reason_are_named(refused, row, says):
    error = refused(LINE, b"", row)
    assert error.bad[0][0] == 3
    assert says in error.bad[0][1]
    assert str(error).startswith("line 3: ")


def test_text_that_only_looks_like_a_nul_is_taken(load):
    assert load({**LINE, "topic": "\\u0000"}).imported == 1


@pytest.mark.parametrize("split", ["heldout", "probe"])
def test_what_is_held_out_is_refused_and_so_are_its_near_copies(refused, project, make, split):
    from loop.prompts.families import content_sha, family_hash

    messages = [{"role": "user", "content": "2 + 2?"}]
    make.prompt_make(
        project, "2 + 2?", split=split, family=family_hash("2 + 2?"), content_sha=content_sha(messages)
    )
    assert f"the prompt is in {split}" in refused({**LINE, "prompt": "fine?"}, LINE).bad[0][1]
    assert f"a near-copy of the prompt is in {split}" in refused({**LINE, "prompt": "2  +  2?"}).bad[0][1]


def test_bad_lines_can_be_left_out(load):
    report = load(b"{", LINE, {"prompt": "q"}, skip_bad=True)
    assert (report.imported, report.unusable) == (1, 2)
    assert [line for line, _ in report.bad] == [1, 3]


def test_people_meet_what_was_imported(load, project, make):
    from webapp.annotate.models import QueueCursor

    person = make.member_make(project)
    for priority in (-1.0, 0.0):
        QueueCursor.objects.create(
            user=make.user_make(), project=project, kind="step_critique", priority=priority, task_id=1
        )
    QueueCursor.objects.create(user=person, project=project, kind="preference", priority=-1.0, task_id=1)
    load(LINE)
    kept = QueueCursor.objects.order_by("kind").values_list("kind", "priority")
    assert list(kept) == [("preference", -1.0), ("step_critique", 0.0)]


def test_checking_stores_nothing(load):
    from webapp.annotate.models import AnnotationTask

    assert load(LINE, dry_run=True).imported == 1
    assert not AnnotationTask.objects.exists()


def test_unknown_format_kind_and_purpose(refused):
    assert "there are: big_bench_mistake" in str(refused(LINE, format="csv"))
    assert "cannot be imported" in str(refused(LINE, kind="critique_review"))


# ----------------------------------------------------------------------------------------------- labels
def test_labels_stay_beside_the_task(load):
    from webapp.annotate.models import Annotation, AnnotationTask

    load({**LINE, "labels": LABELS, "seconds": 3})
    assert AnnotationTask.objects.get().meta["labels"] == {
        "payload": LABELS,
        "outcome": "answered",
        "seconds": 3,
    }
    assert not Annotation.objects.exists()


def test_labels_as_gold(load, refused):
    from webapp.annotate.models import AnnotationTask

    assert "needs them" in refused({**LINE, "labels": LABELS}, {**LINE, "prompt": "q"}, gold=True).bad[0][1]
    assert (
        "not rated yet"
        in refused({**LINE, "labels": {**LABELS, "marks": [None, None], "first_error": None}}, gold=True).bad[
            0
        ][1]
    )
    report = load({**LINE, "labels": LABELS}, gold=True)
    task = AnnotationTask.objects.get()
    assert (report.gold, task.purpose, task.gold["marks"]) == (1, "gold", [-1, None])
    assert "labels" not in task.meta
    assert load(LINE).imported == 1  # the same solution, to be labelled


def rows_left(user):
    """What an answer leaves behind, without keys and times."""
    from webapp.annotate.models import Annotation, AnnotationRevision, Assignment, Flag
    from webapp.traces.models import Critique, Preference

    def of(model, *leave, **where):
        names = [f.name for f in model._meta.concrete_fields if not f.is_relation and f.name not in leave]
        return list(model.objects.filter(**where).order_by("id").values(*names))

    times = ("id", "created_at", "token", "lease_until", "submit_key", "shown", "order")
    return {
        "answers": of(Annotation, *times, user=user),
        "claims": of(Assignment, *times, user=user),
        "versions": of(AnnotationRevision, *times, author=user),
        "critiques": of(Critique, *times, author=user),
        "preferences": of(Preference, *times, "response_ids", author=user),
        "flags": of(Flag, *times, author=user),
    }


@pytest.mark.parametrize(
    ("kind", "row", "outcome", "labels"),
    [
        ("step_critique", LINE, "answered", LABELS),
        ("step_critique", LINE, "give_up", {"reason": "too long", "partial": {"marks": [1, None]}}),
        (
            "preference",
            {"prompt": "q", "candidates": ["a", "b"]},
            "answered",
            {"winner": 1, "rationale": "so"},
        ),
    ],
)
def test_labels_as_answers_are_what_submitting_them_leaves(load, project, make, kind, row, outcome, labels):
    from webapp.annotate import services
    from webapp.annotate.models import AnnotationTask

    giver, person = make.member_make(project), make.member_make(project)
    labelled = {**row, "labels": labels, "outcome": outcome, "seconds": 2.5}
    report = load(labelled, {**row, "prompt": "no labels"}, kind=kind, answers_by=giver)
    assert (report.imported, report.answers) == (2, 1)
    done, other = AnnotationTask.objects.order_by("id")
    assert (done.answers, done.open_slots, done.state) == (1, 0, "done")
    assert (other.answers, other.open_slots, other.state) == (0, 1, "open")

    AnnotationTask.objects.filter(pk=other.pk).delete()
    project.queues.filter(kind=kind).update(overlap=1)
    load({**row, "prompt": "another"}, kind=kind)
    claim = services.assignment_claim(user=person, project=project)
    services.annotation_submit(
        user=person,
        assignment_token=claim.token,
        submit_key=uuid.uuid4(),
        payload=labels,
        outcome=outcome,
        seconds=2.5,
    )
    assert rows_left(giver) == rows_left(person)
    assert load(labelled, kind=kind, answers_by=giver).already == 1


# --------------------------------------------------------------- chunks, helper, the server's checks
def test_a_file_of_many_chunks_through_the_helper(load, tmp_path):
    from webapp.annotate.models import AnnotationTask

    rows = [{**LINE, "prompt": f"{i} + 2?", "steps": [f"{i}" * (1 + i % 40)]} for i in range(300)]
    rows[150] = rows[3]
    report = load(b"\xef\xbb\xbf" + json.dumps(rows[0]).encode(), *rows[1:], chunk=500)
    assert (report.imported, report.already) == (299, 1)
    order = list(AnnotationTask.objects.order_by("id").values_list("prompt__text", flat=True))
    assert order == [r["prompt"] for i, r in enumerate(rows) if i != 150]


def test_a_bad_line_of_a_later_chunk_undoes_the_earlier_ones(refused):
    rows = [{**LINE, "prompt": f"{i} + 2?"} for i in range(50)]
    assert refused(*rows, b"{", *rows, chunk=400).bad[0][0] == 51


@pytest.mark.parametrize("may", [True, False])
def test_references_hold_however_the_rows_are_loaded(load, monkeypatch, may):
    from django.db import connection

    from webapp.annotate.services import storing

    if not may:

        def ordinary(*_):
            from contextlib import nullcontext

            return lambda *_: nullcontext()

        monkeypatch.setattr(storing, "references_are_ours", ordinary)
    load(*[{**LINE, "prompt": f"{i % 7} + 2?", "steps": [f"{i}"]} for i in range(20)])
    load({**LINE, "prompt": "1 + 2?", "steps": ["other"]}, {**LINE, "prompt": "1  + 2?"})
    with connection.cursor() as cursor:
        cursor.execute("SHOW session_replication_role")
        assert cursor.fetchone() == ("origin",)
        cursor.execute(
            "SELECT count(*) FROM annotate_annotationtask t JOIN traces_response r ON r.id = t.response_id"
            " JOIN projects_prompt p ON p.id = t.prompt_id AND r.prompt_id = p.id"
            " JOIN projects_promptfamily f ON f.family = p.family AND f.split = p.split"
        )
        assert cursor.fetchone() == (22,)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
said = texts.filter(str.strip)
rows_made = st.lists(
    st.fixed_dictionaries(
        {"prompt": said, "steps": st.lists(said, min_size=1, max_size=3)},
        optional={"reference": said, "external_id": texts, "topic": texts},
    ),
    max_size=6,
)


class AnyRows(TestCase):
    @settings(max_examples=25, deadline=None)
    @given(rows_made, st.integers(20, 400))
    def test_what_goes_in_can_be_read_back(self, rows, chunk):
        from loop.annotate.formats import exchange
        from tests.factories import project_make
        from webapp.annotate.intake import Order, take_in
        from webapp.annotate.models import AnnotationTask
        from webapp.annotate.services import importing

        project = project_make()
        data = lines(*rows).getvalue()
        parts = [
            take_in(*part, Order(1, "plain", "step_critique"))
            for part in importing._chunks(io.BytesIO(data), chunk)
        ]
        assert [n for part in parts for n in part.lines] == list(range(1, len(rows) + 1))
        report = importing.tasks_import(project=project, stream=io.BytesIO(data))
        assert report.imported + report.already == len(rows)
        stored = [
            (t.prompt.text, [s.text for s in t.response.steps], t.meta.get("external_id", ""))
            for t in AnnotationTask.objects.filter(project=project).select_related("prompt", "response")
        ]
        items = [exchange("plain").read(row) for row in rows]
        assert {(i.prompt, i.steps) for i in items} == {(p, tuple(s)) for p, s, _ in stored}


def test_a_parent_deleted_meanwhile_is_a_refusal(refused, monkeypatch):
    from webapp.annotate.services.rows import ParentGone
    from webapp.annotate.services.storing import Store

    def chunk(self, part):
        raise ParentGone("Something that the file refers to was deleted meanwhile; import it again.")

    monkeypatch.setattr(Store, "chunk", chunk)
    assert "import it again" in str(refused(LINE))
