"""The queues pages: settings as a form, new tasks about what is there, named people, gold of a final word."""

import re

import pytest
from django.urls import reverse

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.models import Annotation, AnnotationTask, Invitation, Queue
from webapp.projects.models import Role

SETTINGS = {
    "do": "save", "order": "first_come", "control_share": "10", "overlap": "2", "daily_quota": "",
    "show_model_critique": "on", "withhold_share": "12.5", "gold_share": "0", "gold_feedback": "hidden",
    "repeat_share": "0", "repeat_after": "20", "error_kinds": "arithmetic\n\nlogic ",
    "criterion_key": ["clear", "", ""], "criterion_label": ["Clear", "", ""],
    "criterion_kind": ["rating", "rating", "yesno"], "criterion_help": ["Easy to follow", "", ""],
}  # fmt: skip


@pytest.fixture
def lead(project, client):
    user = make.member_make(project, role=Role.LEAD)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return user


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def queue_of(project, kind="step_critique"):
    return reverse("queue", args=[project.slug, kind])


def test_the_list_counts_and_names_who_is_at_work(
    client, lead, project, iteration, person, submit, django_assert_max_num_queries
):
    for _ in range(3):
        make.task_make(iteration)
    submit(services.assignment_claim(user=person, project=project))
    services.assignment_claim(user=person, project=project)
    with django_assert_max_num_queries(12):
        page = client.get(reverse("queues", args=[project.slug]))
    row = page.context["rows"][0]
    assert row["counts"] == {"open": 2, "done": 1, "closed": 0, "held": 1}
    assert row["people"] == [person]
    assert "Nobody is at work now." in text_of(page)  # in the others
    services.gold_make(by=None, annotation=Annotation.objects.get())
    (row, *_) = client.get(reverse("queues", args=[project.slug])).context["rows"]
    assert row["counts"]["open"] == 2  # gold is asked for ever: it does not wait


def test_settings_are_saved_as_they_are_meant(client, lead, project):
    page = client.post(queue_of(project), SETTINGS, follow=True)
    assert "Settings saved." in text_of(page)
    queue = Queue.objects.get()
    assert (queue.control_share, queue.withhold_share, queue.overlap, queue.daily_quota) == (
        0.1,
        0.125,
        2,
        None,
    )
    assert queue.error_kinds == ["arithmetic", "logic"]
    assert queue.criteria == [{"key": "clear", "label": "Clear", "kind": "rating", "help": "Easy to follow"}]
    assert (queue.show_model_critique, queue.show_reference) == (True, False)
    again = client.get(queue_of(project))
    assert [row["key"] for row in again.context["criteria"]] == ["clear", "", ""]
    assert 'value="12.5"' in text_of(again)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"order": "magic"}, "magic"),
        ({"overlap": "0"}, "greater than or equal to 1"),
        ({"gold_share": "80", "repeat_share": "30"}, "more than all items"),
        ({"error_kinds": "a\na"}, "twice"),
        ({"criterion_key": ["No Key", "", ""]}, "criteria"),
    ],
)
def test_what_cannot_be_is_refused_and_stays_typed(client, lead, project, wrong, said):
    page = client.post(queue_of(project), SETTINGS | wrong)
    assert page.status_code == 422
    assert said in text_of(page)
    assert "Easy to follow" in text_of(page)
    assert not Queue.objects.filter(overlap=2).exists()


def test_an_unknown_kind_is_not_found(client, lead, project):
    assert client.get(queue_of(project, "haiku")).status_code == 404


def test_every_order_is_explained(client, lead, project):
    from loop.annotate.order import policies

    page = text_of(client.get(queue_of(project)))
    assert all(policy.name.replace("_", " ") in page for policy in policies())


def test_reordering(client, lead, project, iteration):
    make.task_make(iteration)
    assert "1 waiting task reordered." in text_of(
        client.post(queue_of(project), {"do": "reorder"}, follow=True)
    )


def test_named_people_and_everybody_again(client, lead, project, iteration, person):
    task = make.task_make(iteration)
    page = client.post(
        queue_of(project), {"do": "invite", "tasks": f"#{task.pk}", "user": person.pk}, follow=True
    )
    assert "1 task is for those named." in text_of(page)
    assert Invitation.objects.get().user == person
    assert services.assignment_claim(user=make.member_make(project), project=project) is None
    assert services.assignment_claim(user=person, project=project).task == task
    client.post(queue_of(project), {"do": "invite", "tasks": str(task.pk)})
    task.refresh_from_db()
    assert not task.named


@pytest.mark.parametrize("tasks", ["", "one two", "999999"])
def test_tasks_that_are_not_there_are_said(client, lead, project, person, tasks):
    page = client.post(queue_of(project), {"do": "invite", "tasks": tasks, "user": person.pk})
    assert page.status_code == 422
    assert "Not done" in text_of(page)


def ask(client, project, **values):
    body = {
        "source": "",
        "kind": "step_critique",
        "order": "first_come",
        "count": "5",
        "overlap": "1",
        **values,
    }
    return client.post(
        reverse("queues", args=[project.slug]), {f"ask-{k}": v for k, v in body.items()}, follow=True
    )


def test_new_tasks_about_imported_responses_one_per_prompt(client, lead, project):
    for _ in range(3):
        prompt = make.prompt_make(project)
        for _ in range(2):
            make.response_make(prompt)
    heldout = make.prompt_make(project, split="heldout")
    make.response_make(heldout)
    page = ask(client, project, count="2", overlap="3")
    assert "2 tasks made." in text_of(page)
    tasks = AnnotationTask.objects.all()
    assert {(t.iteration, t.overlap, t.open_slots) for t in tasks} == {(None, 3, 3)}
    assert len({t.prompt_id for t in tasks}) == 2
    ask(client, project, count="50")
    assert not AnnotationTask.objects.filter(prompt=heldout).exists()
    asked = list(AnnotationTask.objects.values_list("response", flat=True))
    assert len(asked) == len(set(asked)) == 5  # no response twice
    ask(client, project)
    page = ask(client, project)
    assert "every response there is has been asked about" in text_of(page)
    assert page.status_code == 422


def test_new_tasks_of_an_iterations_responses_stand_outside_of_it(client, lead, project, iteration):
    prompt = make.prompt_make(project)
    make.response_make(prompt, iteration=iteration)
    assert "No task was made" in text_of(ask(client, project))
    ask(client, project, source=str(iteration.number))
    assert AnnotationTask.objects.get().iteration is None


def test_new_comparisons_and_reviews(client, lead, project):
    prompt = make.prompt_make(project)
    make.response_make(prompt, "Answer: 4")
    make.response_make(prompt, "Answer: 4")
    other = make.response_make(prompt, "Answer: 5")
    ask(client, project, kind="preference")
    task = AnnotationTask.objects.get()
    assert (len(task.response_ids), other.pk in task.response_ids, task.response) == (2, True, None)
    critique = make.model_critique_make(other, marks=[-1], first_error=0, comments={})
    ask(client, project, kind="critique_review")
    review = AnnotationTask.objects.get(kind="critique_review")
    assert (review.critique_ids, review.response) == ([critique.pk], other)


def test_damaged_forms_are_refused(client, lead, project):
    assert ask(client, project, kind="haiku").status_code == 422
    assert ask(client, project, count="0").status_code == 422
    assert ask(client, project, source="999").status_code == 422


def test_gold_from_the_final_word(client, lead, project, iteration, answer):
    task = make.task_make(iteration)
    address = reverse("gold_make", args=[project.slug, task.pk])
    assert "no final word" in text_of(client.post(address, follow=True))
    services.adjudicate(by=lead, task=task, payload=answer)
    page = client.post(address, follow=True)
    assert "its answer is the final word" in text_of(page)
    gold = AnnotationTask.objects.get(purpose="gold")
    assert gold.gold["first_error"] == 1
