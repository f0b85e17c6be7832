"""Own answers: those sent back first, with the lead's notes; and how an answer became what it is."""

import re

import pytest
from django.urls import reverse

from tests import factories as make
from webapp.annotate import services
from webapp.annotate.changes import changed, statements
from webapp.annotate.errors import AnnotateConflict
from webapp.projects.models import Role


@pytest.fixture
def lead(project):
    return make.member_make(project, role=Role.LEAD)


@pytest.fixture
def mine(project, iteration, person, submit, client):
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    answers = []
    for _ in range(3):
        make.task_make(iteration)
        answers.append(submit(services.assignment_claim(user=person, project=project)))
    return answers


def text_of(response):
    return re.sub(r"\s+", " ", response.content.decode())


def test_newest_first_and_what_was_sent_back_before_all(client, project, mine, lead):
    address = reverse("answers", args=[project.slug])
    assert [r["answer"] for r in client.get(address).context["rows"]] == mine[::-1]
    services.answer_send_back(by=lead, annotation=mine[0], note="Look at step 2.")
    page = client.get(address)
    assert [r["answer"] for r in page.context["rows"]] == [mine[0], mine[2], mine[1]]
    assert "1 answer was sent back to you." in text_of(page)
    assert "Look at step 2." in text_of(page)
    only = client.get(address, {"state": "sent_back"})
    assert [r["answer"] for r in only.context["rows"]] == [mine[0]]


def test_others_answers_are_not_mine(client, project, mine, lead):
    other = make.member_make(project)
    client.force_login(other, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(reverse("answers", args=[project.slug])).context["rows"] == []
    where = reverse("answer_history", args=[project.slug, mine[0].pk])
    assert client.get(where).status_code == 404
    client.force_login(lead, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(where).status_code == 200


def test_the_list_costs_the_same_for_more_answers(client, project, mine, django_assert_max_num_queries):
    with django_assert_max_num_queries(10):
        client.get(reverse("answers", args=[project.slug]))


def test_an_answer_of_an_iteration_that_went_on_cannot_be_changed(client, project, mine, iteration):
    iteration.stage = "curate"
    iteration.save()
    page = client.get(reverse("answers", args=[project.slug]))
    assert not any(r["changeable"] for r in page.context["rows"])


def test_an_answer_to_a_known_one_is_listed_like_those_beside_it(
    client, project, mine, iteration, person, submit, answer
):
    """Else it is told by its iteration, or by what may still be changed."""
    other = make.member_make(project)
    make.task_make(iteration)
    source = submit(services.assignment_claim(user=other, project=project))
    gold = services.gold_make(by=None, annotation=source)
    services.queue_set(project=project, kind="step_critique", by=None, gold_share=1.0)
    claim = services.assignment_claim(user=person, project=project)
    assert claim.task_id == gold.pk
    made = submit(claim)
    for changeable in (True, False):
        page = client.get(reverse("answers", args=[project.slug]))
        seen = {(row["iteration"], row["changeable"]) for row in page.context["rows"]}
        assert seen == {(iteration, changeable)}
        iteration.stage = "curate"
        iteration.save()
    with pytest.raises(AnnotateConflict, match="gone on"):
        services.annotation_revise(user=person, pk=made.pk, payload=answer, outcome="answered", revision=1)


def test_the_history_says_who_changed_what_and_when(client, project, mine, person, lead, answer):
    changed_answer = answer | {"marks": [1, 1, -1], "first_error": 2, "corrections": {"2": "Answer: 5"}}
    services.annotation_revise(
        user=person, pk=mine[0].pk, payload=changed_answer, outcome="answered", revision=1
    )
    page = client.get(reverse("answer_history", args=[project.slug, mine[0].pk]))
    first, second = page.context["versions"]
    assert (first.number, first.author) == (1, person)
    assert [(c.what, c.before, c.after) for c in second.changes] == [
        ("Step 2", "wrong", "good"),
        ("Step 2, corrected to", "4 + 1 = 5", ""),
        ("Step 3", "unjudged", "wrong"),
        ("Step 3, corrected to", "", "Answer: 5"),
    ]
    assert "<del>wrong</del> <ins>good</ins>" in text_of(page)


def test_the_author_reads_the_final_word(client, project, mine, lead):
    services.adjudicate(
        by=lead, task=mine[0].task, payload={"marks": [1, 1, 1], "verdict": "right"}, note="12 is right."
    )
    page = text_of(client.get(reverse("answer_history", args=[project.slug, mine[0].pk])))
    assert "final word differs" in page
    assert "12 is right." in page


def test_every_kind_of_answer_in_words():
    preference = {
        "winner": 1, "strength": 3, "all_bad": False, "rationale": "Shorter", "ranking": [[1], [0, 2]],
        "ratings": {"clear": [1, None, 5]}, "checks": {"safe": [True, False, None]},
    }  # fmt: skip
    assert statements("answered", preference) == {
        "Better": "Response 2",
        "By how much": "much",
        "Ranking": "2 > 1 = 3",
        "clear": "1, –, 5",
        "safe": "yes, no, –",
        "Why": "Shorter",
    }
    assert statements("bad_problem", {"reason": "No question"}) == {
        "Set aside": "bad problem",
        "Reason": "No question",
    }
    review = {
        "decision": "prefer",
        "edited": None,
        "winner": None,
        "all_bad": True,
        "strength": 2,
        "reason": "",
    }
    assert statements("answered", review) == {"Decision": "prefer", "Better": "all bad"}
    said = statements(
        "answered",
        {
            "marks": [1, None, -1], "first_error": 2, "unsure": [1], "verdict": "wrong", "confidence": 3,
            "kinds": {"2": "arithmetic"}, "spans": {"2": [[0, 4]]}, "comments": {}, "corrections": {},
            "branches": [{"step": 2, "response": "x", "mark": 1, "chosen": True}],
        },
    )  # fmt: skip
    assert said == {
        "Step 1": "good",
        "Step 2": "unsure",
        "Step 3": "wrong",
        "Step 3, kind of error": "arithmetic",
        "Step 3, marked passages": "0–4",
        "Step 3, alternatives": "good and chosen",
        "Verdict": "wrong",
        "Sure": "3 of 4",
    }
    assert changed(said, said) == []


def test_the_annotate_page_says_that_something_came_back(client, project, mine, lead):
    address = reverse("annotate", args=[project.slug])
    assert "sent back to you" not in text_of(client.get(address))
    services.answer_send_back(by=lead, annotation=mine[0], note="Again, please.")
    page = text_of(client.get(address))
    assert "1 of your answers was sent back to you." in page
    assert reverse("answers", args=[project.slug]) in page
