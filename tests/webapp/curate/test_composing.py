"""What goes into a version and what its manifest says: ages, replay, rejections, near-copies, weights."""

import pytest

from loop.curate import mixture as mix
from loop.recipe_parts import CuratePart
from tests import factories as make
from tests.webapp.curate.support import example_make
from webapp.curate.composing import REJECTED, ages_of, compose
from webapp.curate.models import Example
from webapp.curate.services import (
    RejectionError,
    dataset_compose,
    dataset_freeze,
    dataset_rows,
    examples_accept,
    examples_reject,
    rejection_undo,
)
from webapp.projects.models import Role
from webapp.registry.services import base_register, champion_promote, champion_roll_back, model_register

pytestmark = pytest.mark.django_db
STORY = "Mia has 24 apples. She buys 3 bags of 12, then gives 15 away. How many apples does she have now?"


@pytest.fixture
def iteration():
    return make.iteration_make(make.project_make())


def composed(iteration, **part):
    older = Example.objects.filter(project=iteration.project, iteration__number__lt=iteration.number)
    return compose(
        project=iteration.project,
        fresh=Example.objects.filter(iteration=iteration),
        replayed=older,
        part=CuratePart(**part),
        seed=1,
    )


def test_weights_are_part_of_the_hash_and_reach_the_trainer(iteration):
    rows = [example_make(iteration, accepted_by=by) for by in ("people", "verifier")]
    plain = dataset_freeze(project=iteration.project, examples=rows)
    mixed = composed(iteration, weights={"people": 2.5})
    weighted = dataset_compose(project=iteration.project, composition=mixed)
    assert weighted.sha256 != plain.sha256
    assert (plain.row_weights, weighted.row_weights) == ([], [2.5, 1.0])
    assert [r["weight"] for r in dataset_rows(dataset=weighted)] == [2.5, 1.0]
    assert [r["weight"] for r in dataset_rows(dataset=plain)] == [1.0, 1.0]
    assert weighted.manifest["weights"] == {"people": 2.5}
    weighted.row_weights = [1.0, 2.5]  # as if somebody had got past the trigger
    with pytest.raises(LookupError, match="does not match its hash"):
        dataset_rows(dataset=weighted)
    same = dataset_compose(project=iteration.project, composition=composed(iteration, weights={"people": 1}))
    assert same == plain


def test_the_same_text_in_an_earlier_iteration_is_not_replayed(iteration):
    later = make.iteration_make(iteration.project)
    prompt = make.prompt_make(iteration.project)
    example_make(iteration, prompt, chosen="1 + 1 = 2\nAnswer: 2")
    kept = example_make(iteration, prompt, chosen="Answer: 2")
    fresh = example_make(later, prompt, chosen="1 + 1 =  2 \nAnswer: 2")
    mixed = composed(later)
    assert [row.pk for row in mixed.mixture.rows] == [kept.pk, fresh.pk]
    manifest = dataset_compose(project=iteration.project, composition=mixed).manifest
    assert (manifest["replayed"], manifest["deduplicated"], manifest["considered"]) == (1, 1, 3)
    assert manifest["left_out"] == {mix.DUPLICATE: 1}
    assert manifest["sources"] == {"replayed": 1, "verifier": 1}
    assert manifest["table"] == {"sample": {"replayed": 1, "verifier": 1}}


def test_ages_follow_the_champions(iteration):
    project = iteration.project
    base = base_register(project=project)
    second, third = (model_register(project=project, parent=base) for _ in range(2))
    held = model_register(project=project, parent=base)
    for version in (second, third):
        champion_promote(project=project, version=version)
    project.refresh_from_db()
    assert ages_of(project) == {base.pk: 2, second.pk: 1, third.pk: 0, held.pk: 2}
    assert ages_of(project, second.pk)[base.pk] == 1
    for version in (base, second, third):
        example_make(iteration, model_version=version)
    example_make(iteration, writer="person")
    example_make(iteration, writer="unknown")
    mixed = composed(iteration, max_age=1)
    assert mixed.dropped == {mix.TOO_OLD: 1}
    assert mixed.mixture.facts()["ages"] == {"0": 1, "1": 1, "people": 1, "unknown": 1}
    second.refresh_from_db()
    champion_roll_back(project=project, to=second, by=None, reason="rambles")
    project.refresh_from_db()
    assert ages_of(project) == {base.pk: 3, second.pk: 0, third.pk: 1, held.pk: 3}


def test_rows_of_near_copies_of_held_out_prompts_are_left_out_and_listed(iteration):
    project = iteration.project
    held = make.prompt_make(project, STORY, split="heldout")
    copy = make.prompt_make(project, STORY.replace("now?", "then?"))
    for _ in range(2):
        example_make(iteration, copy)
    example_make(iteration, make.prompt_make(project, STORY.replace("gives", "sells")))
    manifest = dataset_compose(project=project, composition=composed(iteration)).manifest
    assert manifest["left_out"] == {mix.LEAKED: 2}
    assert manifest["leak"]["found"] == [{"prompt": copy.pk, "heldout": held.pk, "share": 0.9286}]
    assert {k: manifest["leak"][k] for k in ("compared", "checked", "prompts", "rows")} == {
        "compared": 1, "checked": 2, "prompts": 1, "rows": 2,
    }  # fmt: skip
    assert len(composed(iteration, leak_ngram=0).mixture.rows) == 3
    # A held-out prompt imported later counts from then on.
    make.prompt_make(project, STORY.replace("gives", "sells") + " Say.", split="probe")
    assert composed(iteration).dropped == {mix.LEAKED: 3}


def test_what_a_lead_rejected_stays_out_whatever_example_it_comes_in(iteration):
    lead = make.member_make(iteration.project, role=Role.LEAD)
    prompt = make.prompt_make(iteration.project)
    first = example_make(iteration, prompt, chosen="Answer: 2")
    other = example_make(iteration, prompt)
    frozen = dataset_freeze(project=iteration.project, examples=[first, other])
    mine = Example.objects.filter(pk=first.pk)
    rejection = examples_reject(project=iteration.project, examples=mine, reason=" rude ", by=lead)
    assert (rejection.count, rejection.reason) == (1, "rude")
    later = make.iteration_make(iteration.project)
    example_make(later, prompt, chosen="Answer:  2")
    mixed = composed(later)
    assert [row.pk for row in mixed.mixture.rows] == [other.pk]
    assert mixed.dropped == {REJECTED: 2}
    assert next(r["chosen"] for r in dataset_rows(dataset=frozen)) == "Answer: 2"
    with pytest.raises(RejectionError, match="left to reject"):
        examples_reject(project=iteration.project, examples=mine, reason="again", by=lead)
    assert rejection_undo(rejection=rejection, by=lead) == 1
    assert composed(later).dropped == {mix.DUPLICATE: 1}
    with pytest.raises(RejectionError, match="undone before"):
        rejection_undo(rejection=rejection, by=lead)
    with pytest.raises(RejectionError, match="Say why"):
        examples_reject(project=iteration.project, examples=mine, reason=" ", by=lead)
    examples_reject(project=iteration.project, examples=mine, reason="no", by=lead)
    assert examples_accept(project=iteration.project, examples=mine, by=lead) == 1
    assert not Example.objects.filter(rejected__isnull=False).exists()


def test_composing_costs_the_same_for_more_rows(iteration, django_assert_num_queries):
    composed(iteration)  # reads the held-out prompts, once per process
    for _ in range(2):
        for _ in range(3):
            example_make(iteration)
        with django_assert_num_queries(5):  # rejected texts, old and new rows, state of held-out, new prompts
            composed(iteration)


def test_the_manifest_says_what_rests_on_programs(iteration):
    task = make.task_make(iteration)
    program = make.member_make(iteration.project, is_simulated=True)
    answer = task.annotations.create(user=program, submit_key="0" * 32, payload={})
    example_make(iteration).annotations.add(answer)
    example_make(iteration)
    manifest = dataset_compose(project=iteration.project, composition=composed(iteration)).manifest
    assert (manifest["answered"], manifest["simulated"], manifest["guidelines"]) == (1, 1, {"0": 1})
