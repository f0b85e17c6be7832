"""What the database itself refuses, whoever asks: leaks from held-out and probe, changes of frozen rows."""

import json

import pytest
from django.db import IntegrityError, connection, transaction

from tests import factories as make
from webapp.curate.models import DatasetVersion, Example
from webapp.curate.services import dataset_freeze

pytestmark = pytest.mark.django_db
INSERT = """
insert into curate_example
    (project_id, iteration_id, prompt_id, split, kind, row, row_sha, accepted_by, weight, created_at)
values (%s, %s, %s, %s, 'sample', '{}', 'sha', 'verifier', 1, now())
"""


@pytest.fixture
def iteration():
    return make.iteration_make(make.project_make())


def refused(sql, *values):
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)


def example(iteration, **values):
    prompt = values.pop("prompt", None) or make.prompt_make(iteration.project)
    values = {"row_sha": f"{prompt.pk:064}", "row": {"chosen": "x"}, **values}
    return Example.objects.create(
        project=iteration.project, iteration=iteration, prompt=prompt, kind="sample", **values
    )


@pytest.mark.parametrize("split", ["heldout", "probe"])
def test_a_measuring_prompt_never_becomes_an_example(iteration, split):
    prompt = make.prompt_make(iteration.project, split=split)
    with pytest.raises(IntegrityError), transaction.atomic():
        example(iteration, prompt=prompt)
    with pytest.raises(IntegrityError), transaction.atomic():
        Example.objects.bulk_create(
            [Example(project=iteration.project, iteration=iteration, prompt=prompt, kind="sample", row={})],
            ignore_conflicts=True,  # as curation stores them: a leak is no mere conflict
        )
    for claimed in ("train", split):
        refused(INSERT, iteration.project_id, iteration.pk, prompt.pk, claimed)
    assert not Example.objects.exists()


@pytest.mark.parametrize("split", ["heldout", "probe"])
def test_nor_does_an_example_become_one_of_theirs(iteration, split):
    made = example(iteration)
    other = make.prompt_make(iteration.project, split=split)
    refused("update curate_example set prompt_id = %s where id = %s", other.pk, made.pk)
    refused("update curate_example set split = %s where id = %s", split, made.pk)
    refused("update projects_prompt set split = %s where id = %s", split, made.prompt_id)
    refused("delete from projects_prompt where id = %s", made.prompt_id)


def test_a_family_lives_in_one_split(iteration):
    first = make.prompt_make(iteration.project, family="apples", split="train")
    second = make.prompt_make(iteration.project, family="apples", split="train")
    refused("update projects_prompt set split = 'heldout' where id = %s", second.pk)
    refused(
        "insert into projects_promptfamily (project_id, family, split) values (%s, 'apples', 'heldout')",
        iteration.project_id,
    )
    refused("update projects_promptfamily set split = 'heldout' where family = 'apples'")
    refused("update projects_prompt set family = 'pears' where id = %s", first.pk)  # no such family
    elsewhere = make.project_make()
    make.prompt_make(elsewhere, family="apples", split="heldout")  # another project's families are its own


@pytest.mark.parametrize(
    "change",
    [
        "number = 9",
        "sha256 = 'other'",
        "row_count = 0",
        "example_ids = '{}'",
        """manifest = '{"kinds": {}}'""",
    ],
)
def test_a_frozen_dataset_version_never_changes(iteration, change):
    frozen = dataset_freeze(project=iteration.project, examples=[example(iteration)])
    refused(f"update curate_datasetversion set {change} where id = %s", frozen.pk)
    frozen.sha256 = "other"
    with pytest.raises(IntegrityError), transaction.atomic():
        frozen.save()
    assert DatasetVersion.objects.get().sha256 != "other"


def test_the_text_of_an_example_never_changes(iteration):
    made = example(iteration)
    refused("update curate_example set row = %s where id = %s", json.dumps({"chosen": "y"}), made.pk)
    refused("update curate_example set row_sha = 'y' where id = %s", made.pk)
    refused("update curate_example set kind = 'critique' where id = %s", made.pk)


def test_the_same_row_twice_in_one_iteration_is_refused(iteration):
    first = example(iteration)
    with pytest.raises(IntegrityError), transaction.atomic():
        example(iteration, row_sha=first.row_sha)
