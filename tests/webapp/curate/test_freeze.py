"""Freezing: the list in its order, hashed, once; and what was frozen can be read back or says why not."""

import json
from hashlib import sha256

import pytest
from django.core.management import CommandError, call_command

from tests import factories as make
from webapp.curate.models import DatasetVersion, Example
from webapp.curate.services import dataset_freeze, dataset_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def iteration():
    return make.iteration_make(make.project_make())


def examples(iteration, n, kind="sample", tag="a"):
    prompts = [make.prompt_make(iteration.project) for _ in range(n)]
    return [
        Example.objects.create(
            project=iteration.project,
            iteration=iteration,
            prompt=p,
            kind=kind,
            row={"chosen": f"{tag}{i}"},
            row_sha=f"{kind}-{tag}{i}",
            accepted_by="verifier",
        )
        for i, p in enumerate(prompts)
    ]


def test_the_hash_is_that_of_the_rows_in_their_order(iteration):
    rows = examples(iteration, 3)
    frozen = dataset_freeze(project=iteration.project, examples=rows)
    assert frozen.sha256 == sha256(b"sample-a0\nsample-a1\nsample-a2").hexdigest()
    assert (frozen.number, frozen.row_count) == (1, 3)
    assert frozen.example_ids == [e.pk for e in rows]
    assert frozen.manifest == {"kinds": {"sample": 3}, "accepted_by": {"verifier": 3}, "prompts": 3}
    other_way = dataset_freeze(project=iteration.project, examples=rows[::-1])
    assert (other_way.number, other_way.sha256 != frozen.sha256) == (2, True)
    assert [r["chosen"] for r in dataset_rows(dataset=other_way)] == ["a2", "a1", "a0"]


def test_freezing_the_same_again_gives_the_version_there_is(iteration):
    rows = examples(iteration, 2)
    first = dataset_freeze(project=iteration.project, examples=rows)
    assert dataset_freeze(project=iteration.project, examples=[*rows, rows[0]]) == first
    assert DatasetVersion.objects.count() == 1


def test_numbers_count_per_project(iteration):
    other = make.iteration_make(make.project_make())
    dataset_freeze(project=iteration.project, examples=examples(iteration, 1))
    assert dataset_freeze(project=other.project, examples=examples(other, 1)).number == 1


def test_a_list_with_an_example_gone_cannot_be_trained_on(iteration):
    rows = examples(iteration, 2)
    frozen = dataset_freeze(project=iteration.project, examples=rows)
    rows[0].delete()
    with pytest.raises(LookupError, match="dataset 1 lists 2 examples, 1 exist"):
        dataset_rows(dataset=frozen)


def command(**options):
    from io import StringIO

    out = StringIO()
    call_command("dataset_freeze", stdout=out, **options)
    return out.getvalue()


def test_the_command_freezes_main_arms_only_and_filters(iteration):
    project = iteration.project
    examples(iteration, 2)
    examples(iteration, 1, kind="critique")
    control = make.iteration_make(project, arm="shuffled", control_of=iteration)
    examples(control, 5, tag="shuffled")
    facts = json.loads(command(project=project.slug, json=True))
    assert (facts["dataset"], facts["rows"], facts["kinds"]) == (1, 3, {"sample": 2, "critique": 1})
    facts = json.loads(
        command(project=project.slug, json=True, kind=["critique"], iteration=iteration.number)
    )
    assert (facts["dataset"], facts["rows"]) == (2, 1)
    again = command(project=project.slug, kind=["critique"])
    assert again == f"dataset 2: 1 rows, sha256 {facts['sha256'][:12]}\n"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"project": "nowhere"}, "no project called 'nowhere'"),
        ({"iteration": 9}, "no accepted examples match: run an iteration first, or widen the choice"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(iteration, options, says):
    with pytest.raises(CommandError) as caught:
        command(**{"project": iteration.project.slug, **options})
    assert str(caught.value) == says
    assert caught.value.returncode == 2
