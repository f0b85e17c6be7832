"""The lineage, level by level: the right rows, for whom they are, with how many queries, and back up."""

import re

import pytest
from django.urls import reverse

from tests import factories as make
from tests.webapp.curate.support import example_make
from tests.webapp.metrics.traced import traced_past
from webapp.annotate.models import AnnotationTask
from webapp.curate.services import dataset_freeze
from webapp.metrics.models import PromptFigures
from webapp.metrics.tracing import examples, number, prompts, upward
from webapp.metrics.tracing.wanted import Wanted
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def traced():
    return traced_past()


@pytest.fixture
def look(client, traced):
    """`look(user, **query)`: the response of the lineage's address."""

    def go(user, **query):
        client.force_login(user, backend=BACKEND)
        return client.get(reverse("lineage", args=[traced.past.project.slug]), query)

    return go


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", response.content.decode()))


GAIN = {"metric": "heldout_gain", "iteration": 1}


def test_the_top_says_what_the_gain_was_measured_on_and_what_stands_behind_it(look, traced):
    response = look(traced.past.lead, **GAIN)
    shown = text_of(response)
    assert "12 held-out prompts that nothing is ever trained on" in shown
    assert "6 turned right" in shown
    assert "2 turned wrong" in shown
    assert "5 examples, of which 3 rest on people’s answers 1 simulated" in shown
    behind = response.context["behind"]
    assert (behind.model, behind.run, behind.dataset) == (traced.past.better, traced.run, traced.dataset)


def test_three_steps_lead_from_the_gain_to_the_click_and_back_up(client, look, traced):
    top = look(traced.past.lead, **GAIN)
    onwards = re.search(r'class="trace-main" data-trace href="([^"]+)"', top.content.decode())[1]
    listed = client.get(onwards.replace("&amp;", "&"))
    rows = listed.context["found"].rows
    assert [(r.example, [(a.author, a.simulated) for a in r.answers]) for r in rows] == [
        (traced.examples[2], [("robot", True)]),
        (traced.examples[1], [("ana", False)]),
        (traced.examples[0], [("ana", False)]),
    ]
    shown = look(traced.past.lead, **GAIN, show="examples", annotation=traced.answer.pk)
    clicked, text = shown.context["clicked"], text_of(shown)
    assert [(s.sign, s.first_error, s.correction, s.seconds) for s in clicked.steps] == [
        ("+", False, "", 12.5),
        ("−", True, "4 + 1 = 5", 6.0),
        ("·", False, "", None),
    ]
    assert clicked.author == "ana"
    assert [v.number for v in clicked.versions] == [1, 2]
    assert "One more makes five." in text
    (way,) = shown.context["ways"].found
    assert (way.dataset, way.used, way.model, way.run) == (traced.dataset, 2, traced.past.better, traced.run)
    assert (way.effect, way.promoted) == (pytest.approx(4 / 12), True)
    assert (
        f'href="{reverse("lineage", args=[traced.past.project.slug])}?metric=heldout_gain&amp;iteration=1"'
        in (shown.content.decode())
    )


def test_who_answered_is_for_leads_and_themselves(look, traced):
    other = make.member_make(traced.past.project, role=Role.VIEWER)
    query = {**GAIN, "show": "examples"}

    def authors(user):
        return {a.author for row in look(user, **query).context["found"].rows for a in row.answers}

    assert authors(traced.past.lead) == {"ana", "robot"}
    assert authors(traced.person) == {"you", "a simulated annotator"}
    assert authors(other) == {"an annotator", "a simulated annotator"}
    assert "ana" not in text_of(look(other, annotation=traced.answer.pk)).split()
    assert "Your answer" in text_of(look(traced.person, annotation=traced.answer.pk))
    assert look(make.user_make(), **GAIN).status_code == 404


def test_what_people_are_asked_about_is_hidden_below_lead(look, traced):
    other = make.member_make(traced.past.project)
    AnnotationTask.objects.filter(pk=traced.task.pk).update(state="open")
    rows = look(other, **GAIN, show="examples").context["found"].rows
    assert [row.example for row in rows] == [traced.examples[2]]
    assert look(other, annotation=traced.answer.pk).status_code == 404
    assert look(other, example=traced.examples[0].pk).status_code == 404
    assert look(traced.person, annotation=traced.answer.pk).status_code == 200
    assert look(traced.past.lead, annotation=traced.answer.pk).status_code == 200


def test_while_people_compare_blindly_outcomes_are_for_leads(look, traced):
    make.iteration_make(traced.past.project, stage="promote", status="waiting")
    for query in ({}, {"show": "prompts"}, {"prompt": traced.past.heldout[5].pk}):
        assert "comparing two models" in text_of(look(traced.person, **GAIN, **query))
        assert "comparing two models" not in text_of(look(traced.past.lead, **GAIN, **query))


def test_held_out_prompts_by_how_they_came_out(look, traced):
    page = look(traced.person, **GAIN, show="prompts", of="turned_right")
    assert [row.after.prompt_id for row in page.context["rows"]] == [p.pk for p in traced.past.heldout[4:10]]
    both = look(traced.person, **GAIN, show="prompts", of="turned_right", prompt=traced.past.heldout[4].pk)
    assert (both.context["both"].before.verdict, both.context["both"].after.verdict) == ("wrong", "right")
    assert "no example is made of them" in text_of(both)
    assert look(traced.person, **GAIN, prompt=traced.task.prompt_id).status_code == 404


def test_samples_lead_to_prompts_responses_answers_and_examples(look, traced):
    done, task, lead = traced.past.done, traced.task, traced.past.lead
    for prompt, right, majority in ((task.prompt, 1, False), (traced.simulated.task.prompt, 4, True)):
        PromptFigures.objects.create(
            iteration=done, prompt=prompt, samples=4, scored=4, right=right, majority=majority, answers=3
        )  # fmt: skip
    query = {"metric": "samples_right", "iteration": 1, "show": "prompts"}
    assert [f.right for f in look(lead, **query).context["page"]] == [1, 4]
    assert [f.right for f in look(lead, **query, sort="easiest").context["page"]] == [4, 1]
    assert [f.right for f in look(lead, **query, of="majority_wrong").context["page"]] == [1]
    assert [f.right for f in look(lead, **query, of="solve_all").context["page"]] == [4]
    one = look(lead, **query, prompt=task.prompt_id)
    assert [(s.response, s.answers, s.examples) for s in one.context["samples"]] == [(task.response, 1, 2)]
    response = look(lead, **query, prompt=task.prompt_id, response=task.response_id)
    assert [row["answer"] for row in response.context["answers"]] == [traced.answer]
    assert response.context["examples"] == traced.examples[:2]
    assert look(traced.person, **query, prompt=task.prompt_id).context["samples"] == []
    assert look(traced.person, **query, response=task.response_id).status_code == 404


def test_what_sampled_stands_behind_samples_and_a_base_ends_the_line(traced):
    found = number.number_of(traced.past.done, "samples_right")
    assert number.measured_model(traced.past.done, found) == traced.past.base.pk
    assert number.behind(traced.past.project, traced.past.base.pk).dataset is None
    gain = number.number_of(traced.past.done, "heldout_gain")
    assert number.measured_model(traced.past.done, gain) == traced.past.better.pk


def test_only_rows_of_the_version_that_rest_on_answers_are_listed_page_by_page(traced, monkeypatch):
    project, lead = traced.past.project, traced.past.lead
    project.my_role = Role.LEAD
    outside = example_make(traced.past.done)  # rests on an answer, and composing left it out
    outside.annotations.add(traced.answer)
    monkeypatch.setattr(examples, "PER_PAGE", 2)
    first = examples.resting(project, traced.dataset, traced.past.done.pk, before=None, reader=lead)
    assert [r.example for r in first.rows] == [traced.examples[2], traced.examples[1]]
    rest = examples.resting(project, traced.dataset, traced.past.done.pk, before=first.older, reader=lead)
    assert ([r.example for r in rest.rows], rest.older) == ([traced.examples[0]], None)


def test_replayed_rows_lead_up_to_every_model_they_trained(traced, monkeypatch):
    project = traced.past.project
    again = dataset_freeze(
        project=project,
        examples=[traced.examples[0], example_make(traced.past.waiting)],
        iteration_id=traced.past.waiting.pk,
        manifest={"replayed": 1},
    )
    other = dataset_freeze(project=project, examples=[example_make(traced.past.waiting)])
    both = [(traced.dataset, 2, traced.past.better), (again, 1, None)]

    def ways(**values):
        found = upward.ways_up(project, traced.examples[:2], **values)
        return [(w.dataset, w.used, w.model) for w in found.found], found.unread

    assert ways() == (both, 0)
    assert other not in [dataset for dataset, _, _ in ways()[0]]
    monkeypatch.setattr(upward, "MOST_ROWS", 6)  # the next list is too long to be looked through unasked
    assert ways() == (both[:1], 1)
    assert ways(far=True) == (both, 0)


@pytest.mark.parametrize(
    ("query", "most"),
    [
        (GAIN, 12),
        ({**GAIN, "show": "examples"}, 17),  # five of them bound how long the look-up may take
        ({**GAIN, "show": "prompts"}, 13),
        ({**GAIN, "annotation": 0}, 14),
        ({**GAIN, "example": 0}, 13),
    ],
)
def test_each_level_costs_few_queries_however_much_there_is(
    client, look, traced, query, most, django_assert_num_queries
):
    known = {"annotation": traced.answer.pk, "example": traced.examples[0].pk}
    query = {k: known.get(k, v) for k, v in query.items()}
    address = look(traced.past.lead, **query).wsgi_request.get_full_path()
    with django_assert_num_queries(most):
        assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    "query",
    [{}, {"metric": "heldout_gain"}, {"metric": "nonsense", "iteration": 1}, {**GAIN, "iteration": 99},
     {"annotation": 10**9}, {"example": 10**9}, {**GAIN, "prompt": 10**9}],
)  # fmt: skip
def test_what_there_is_not_is_not_found(look, traced, query):
    assert look(traced.past.lead, **query).status_code == 404


def test_the_drawer_is_the_same_without_the_frame(client, look, traced):
    look(traced.past.lead, **GAIN)
    address = reverse("lineage", args=[traced.past.project.slug])
    inside = client.get(address, GAIN, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in inside
    assert "data-trace-content" in inside


def test_addresses_keep_the_way_back():
    wanted = Wanted.of_query(
        {"metric": "heldout_gain", "iteration": "3", "show": "nonsense", "response": "x"}
    )
    assert wanted.address(annotation=7) == "?metric=heldout_gain&iteration=3&annotation=7"
    assert wanted.listed("examples") == "?metric=heldout_gain&iteration=3&show=examples"


def test_hardest_first_leaves_out_asked_prompts_below_lead(traced):
    done = traced.past.done
    PromptFigures.objects.create(iteration=done, prompt=traced.task.prompt, scored=2, right=1)
    AnnotationTask.objects.filter(pk=traced.task.pk).update(state="open")
    traced.past.project.my_role = Role.ANNOTATOR
    assert not prompts.figures_of(traced.past.project, done, Wanted("samples_right", 1)).exists()
