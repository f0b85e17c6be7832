"""The raw export: everything of the annotation side, and back into an empty project as the same state."""

import io
import itertools
import json
import re
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def exported(project):
    from webapp.annotate.services.exporting import annotations_export

    return b"".join(annotations_export(project=project))


def told(project, name="project"):
    """The export without what names the project, each id replaced by the place where it is first named."""
    first, *rest = exported(project).decode().splitlines()
    assert json.loads(first)["type"] == "project"
    seen = {}
    return [UUIDS.sub(lambda m: f"id {seen.setdefault(m[0], len(seen))}", line) for line in rest]


def restored(project):
    """A new project made of the export of this one."""
    from tests.factories import project_make
    from webapp.annotate.services.restoring import annotations_import

    other = project_make()
    report = annotations_import(project=other, stream=io.BytesIO(exported(project)))
    return other, report


def busy(project, draw):
    """Some people at work on some tasks, as ``draw(list)`` decides."""
    from tests import factories as make
    from webapp.annotate import services
    from webapp.annotate.models import AnnotationTask, Flag, Invitation, Queue, Regeneration
    from webapp.annotate.services.review import adjudicate, answer_send_back
    from webapp.projects.models import GuidelineRead

    lead = make.member_make(project, "lead")
    people = [make.member_make(project) for _ in range(2)]
    guide = make.guidelines_make(project, "Find it.\n\u2028“¡”")
    GuidelineRead.objects.create(user=people[0], version=guide)
    iteration = make.iteration_make(project)
    overlap = draw([1, 2])
    for _ in range(draw([1, 2, 3])):
        kind = draw(["step", "step", "preference", "review"])
        if kind == "preference":
            make.preference_task_make(iteration, "a", "b\nc", overlap=overlap)
            continue
        task = make.task_make(iteration, overlap=overlap)
        critique = make.model_critique_make(task.response)
        if kind == "review":
            services.tasks_create(
                iteration=iteration,
                kind="critique_review",
                items=[(task.prompt_id, (task.response_id, [critique.pk]), 1.0)],
                overlap=overlap,
            )
        if draw([False, True]):
            asked = Regeneration.objects.create(
                project=project, task=task, author=people[0], response=task.response, step=1, state="done"
            )
            make.response_make(
                task.prompt, "2 + 2 = 4", "x", origin="continuation", parent=task.response, regeneration=asked
            )
    Queue.objects.update_or_create(project=project, kind="preference", defaults={"error_kinds": ["sum"]})
    first = AnnotationTask.objects.filter(project=project).first()
    if draw([False, True]):
        AnnotationTask.objects.create(
            project=project,
            kind=first.kind,
            prompt=first.prompt,
            response=first.response,
            response_ids=first.response_ids,
            critique_ids=first.critique_ids,
            purpose=draw(["gold", "repeat"]),
            repeat_of=first,
            gold={"marks": [1]},
            named=True,
            open_slots=1,
        )
        Invitation.objects.create(task=first, user=people[1])
    for person in people:
        for _ in range(draw([0, 1, 2, 3])):
            _one_item(project, person, lead, draw)
    if draw([False, True]):
        Flag.objects.create(
            project=project, task=first, author=lead, reason="flag", note="?", resolved_by=lead
        )
    return lead, adjudicate, answer_send_back


PAYLOADS = {
    "step_critique": [
        {"marks": [1, -1, None], "first_error": 1, "verdict": "wrong", "comments": {"1": "no"}},
        {"marks": [1, 1, 0], "first_error": None, "verdict": "right", "confidence": 3},
    ],
    "preference": [{"winner": 0, "rationale": "so"}, {"winner": None}, {"all_bad": True}],
    "critique_review": [{"decision": "accept"}, {"decision": "reject", "reason": "no"}],
}


def _one_item(project, person, lead, draw):
    from webapp.annotate import services
    from webapp.annotate.models import Annotation
    from webapp.annotate.services.review import adjudicate, answer_reject, answer_send_back, answers_accept

    claim = services.assignment_claim(user=person, project=project)
    if claim is None:
        return
    end = draw(["answer", "answer", "aside", "draft", "skip", "leave"])
    if end == "skip":
        services.assignment_release(user=person, token=claim.token, reason="later")
    elif end == "draft":
        services.draft_save(user=person, token=claim.token, payload={"marks": [1]}, revision=0)
    elif end in ("answer", "aside"):
        aside = end == "aside"
        payload = {"reason": "?"} if aside else draw(PAYLOADS[claim.task.kind])
        answer = services.annotation_submit(
            user=person,
            assignment_token=claim.token,
            submit_key=uuid.uuid4(),
            payload=payload,
            outcome="unsure" if aside else "answered",
            seconds=1.25,
            step_seconds={"0": 1},
        )
        then = draw(["leave", "revise", "send back", "accept", "reject", "adjudicate"])
        if then == "revise":
            again = draw(PAYLOADS[claim.task.kind])
            services.annotation_revise(
                user=person, pk=answer.pk, payload=again, outcome="answered", revision=answer.revision
            )
        elif then == "send back":
            answer_send_back(by=lead, annotation=answer, note="look again")
        elif then == "accept":
            answers_accept(by=lead, answers=Annotation.objects.filter(pk=answer.pk))
        elif then == "reject":
            answer_reject(by=lead, annotation=answer)
        elif (
            claim.task.purpose == "label"
            and then == "adjudicate"
            and not hasattr(answer.task, "adjudication")
        ):
            word = PAYLOADS[claim.task.kind][0]
            adjudicate(by=lead, task=claim.task, payload=word, based_on=answer.pk, note="mine")


def derived(project):
    from webapp.traces.models import Critique, Preference

    said = (
        "final",
        "author__username",
        "author_kind",
        "annotation__user__username",
        "adjudication__revision",
    )
    critiques = Critique.objects.filter(response__prompt__project=project).exclude(author_kind="model")
    preferences = Preference.objects.filter(prompt__project=project)
    return sorted(
        map(
            str, critiques.values_list("marks", "first_error", "verdict", "comments", "response__text", *said)
        )
    ), sorted(
        map(str, preferences.values_list("winner", "strength", "all_bad", "prompt__content_sha", *said))
    )


class AnyProject(TestCase):
    @settings(max_examples=15, deadline=None)
    @given(st.data())
    def test_a_project_exports_as_it_was_after_a_round_trip(self, data):
        from tests.factories import project_make

        project = project_make()
        busy(project, lambda options: data.draw(st.sampled_from(options)))
        other, report = restored(project)
        assert told(other) == told(project)
        assert report.people_made == report.models_unknown == 0
        assert derived(other) == derived(project)


@pytest.fixture
def worked(project):
    """A project in which everything has happened that the drawn ones may see."""
    turns = itertools.count()
    busy(project, lambda options: options[next(turns) % len(options)])
    return project


def lines(project, kind):
    return [line for line in map(json.loads, exported(project).splitlines()) if line["type"] == kind]


def test_what_the_file_says(worked, project):
    from webapp.annotate.models import Annotation, AnnotationTask

    tasks = lines(project, "task")
    assert [t["place"] for t in tasks] == list(range(1, AnnotationTask.objects.count() + 1))
    answers = [a for t in tasks for a in t["annotations"]]
    assert len(answers) == Annotation.objects.count() > 0
    assert all(a["revisions"][0]["payload"] for a in answers)
    names = {p["username"] for p in lines(project, "person")}
    assert {a["user"] for a in answers} <= names
    text = exported(project).decode()
    for secret in ("password", "pbkdf2", "@", '"token"', "submit_key"):
        assert secret not in text
    assert lines(project, "prompt")[0]["split"] == "train"


def test_ids_are_kept_where_nothing_is_in_the_way(worked, project, make):
    from webapp.annotate.models import AnnotationTask, Regeneration
    from webapp.annotate.services.restoring import annotations_import
    from webapp.projects.models import Project, Prompt, PromptFamily

    file = exported(project)
    AnnotationTask.objects.filter(project=project).delete()
    Regeneration.objects.all().delete()
    Prompt.objects.all().delete()
    PromptFamily.objects.all().delete()
    Project.objects.filter(pk=project.pk).delete()
    again = make.project_make(slug=project.slug, name=project.name)
    annotations_import(project=again, stream=io.BytesIO(file))
    without = re.compile(rb'"(?:iteration)" : (?:\d+|null)')
    assert without.sub(b"", exported(again)) == without.sub(b"", file)


def test_people_are_made_without_a_password(worked, project, make):
    from webapp.accounts.models import User
    from webapp.annotate.services.restoring import annotations_import

    file = exported(project).replace(b"person-", b"stranger-")
    report = annotations_import(project=make.project_make(), stream=io.BytesIO(file))
    strangers = User.objects.filter(username__startswith="stranger-")
    assert strangers.count() == report.people_made > 0
    assert not any(s.has_usable_password() for s in strangers)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: b"", "begins a raw export"),
        (lambda f: f.split(b"\n", 1)[1], "line 1: expected the line that begins a raw export"),
        (lambda f: f + b"{", "not JSON"),
        (lambda f: f + b'{"type": "secret"}', "no line of the type 'secret'"),
        (lambda f: f.replace(b'"text" :', b'"words" :'), "do not fit a raw export"),
    ],
)
def test_what_is_no_raw_export_is_refused(worked, project, make, change, says):
    from webapp.annotate.services.restoring import RestoreRefused, annotations_import
    from webapp.projects.models import Prompt

    other = make.project_make()
    with pytest.raises(RestoreRefused, match=re.escape(says)):
        annotations_import(project=other, stream=io.BytesIO(change(exported(project))))
    assert not Prompt.objects.filter(project=other).exists()


def test_a_project_that_is_not_empty_is_refused(worked, project):
    from webapp.annotate.services.restoring import RestoreRefused, annotations_import

    with pytest.raises(RestoreRefused, match="has prompts and tasks"):
        annotations_import(project=project, stream=io.BytesIO(exported(project)))


def test_an_empty_project(project):
    assert len(exported(project).splitlines()) == 1


def test_the_number_of_queries_does_not_depend_on_the_project(worked, project, django_assert_max_num_queries):
    with django_assert_max_num_queries(10):  # the lines themselves come by COPY, one for each kind
        exported(project)
