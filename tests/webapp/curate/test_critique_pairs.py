"""A preference between two critiques becomes an example for the critic, and none between responses."""

import uuid

import pytest

from loop.dialects import dialect_named
from loop.recipe_parts import CuratePart
from tests import factories as make
from webapp.annotate import services
from webapp.curate.models import Example
from webapp.curate.selectors import material_parts, materials_of
from webapp.curate.services import dataset_freeze, examples_derive

pytestmark = pytest.mark.django_db
TERSE = dialect_named("terse")
FOUND = {
    "text": "2 + 2 = 4 : good\n4 + 1 = 5 : wrong # wrong result\nVerdict: wrong",
    "corrections": {"1": "4 + 1 = 5"},
}
MISSED = {
    "text": "2 + 2 = 4 : good\n4 + 1 = 6 : good\nAnswer: 6 : good\nVerdict: right",
    "marks": [1, 1, 1],
    "first_error": None,
    "verdict": "right",
}


@pytest.fixture
def compared():
    """A review of two critiques, the one that finds the error preferred; and who said so."""
    iteration = make.iteration_make(make.project_make(dialect="terse"))
    task = make.review_task_make(iteration, MISSED, FOUND)
    person = make.member_make(iteration.project)
    claim = services.assignment_claim(user=person, project=iteration.project)
    answer = services.annotation_submit(
        user=person,
        assignment_token=claim.token,
        submit_key=uuid.uuid4(),
        payload={"decision": "prefer", "winner": 1},
    )
    return task, answer


def derive(task, *rows):
    return examples_derive(
        project=task.project,
        iteration_id=task.iteration_id,
        materials=material_parts(task.iteration_id),
        part=CuratePart(rows=rows, accept="people"),
        dialect=TERSE,
    )


def test_the_material_keeps_the_two_kinds_of_preference_apart(compared):
    task, _ = compared
    (material,) = materials_of(task.iteration_id)
    assert material.preferences == ()
    (preference,) = material.critique_preferences
    assert preference.response_ids == (str(task.response_id),)
    assert preference.options == tuple(map(str, task.critique_ids))
    assert preference.options[preference.winner] == str(task.critique_ids[1])


def test_it_is_an_example_with_the_answer_behind_it(compared):
    task, answer = compared
    (example,), counts = derive(task, "critique_pair")
    assert counts == {"kept": 1}
    example = Example.objects.get(pk=example.pk)
    assert (example.kind, example.accepted_by) == ("critique_pair", "people")
    assert (example.row["chosen"], example.row["rejected"]) == (FOUND["text"], MISSED["text"])
    response = task.response.record()
    asked = TERSE.critique(task.prompt.record(), response)
    assert example.row["messages"] == [{"role": m.role, "content": m.content} for m in asked]
    assert list(example.annotations.all()) == [answer]
    answer.refresh_from_db()
    assert answer.state == "accepted"
    frozen = dataset_freeze(project=task.project, examples=[example], iteration_id=task.iteration_id)
    assert frozen.manifest["kinds"] == {"critique_pair": 1}


def test_it_is_no_pair_of_responses(compared):
    task, _ = compared
    assert derive(task, "preference")[0] == []
