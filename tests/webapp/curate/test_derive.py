"""From answers and verdicts to examples: what counts, where it came from, and nothing twice."""

from collections import Counter

import pytest

from loop.curate import shuffle_verdicts
from loop.dialects import dialect_named
from loop.domains.arithmetic.check import judge
from loop.recipe_parts import CuratePart
from loop.records import Author
from tests.webapp.iterations import support
from webapp.annotate.models import Annotation
from webapp.annotate.simulate import annotators_simulate
from webapp.curate.models import Example
from webapp.curate.selectors import corrected_critique_ids, material_parts, materials_of
from webapp.curate.services import examples_derive
from webapp.traces.models import Response

pytestmark = pytest.mark.django_db
ALL = CuratePart(rows=("sample", "trajectory", "critique"), continuations=1)


@pytest.fixture
def iteration():
    """Six prompts with a right and a wrong response each; four of them judged by a person without error."""
    iteration = support.start()
    support.work_until(iteration, "annotate")
    annotators_simulate(iteration=iteration, error_rate=0, people=1)
    return iteration


def derive(iteration, part=ALL):
    return examples_derive(
        project=iteration.project,
        iteration_id=iteration.pk,
        materials=material_parts(iteration.pk),
        part=part,
        dialect=dialect_named("terse"),
    )


def test_examples_say_who_accepted_them_and_which_answers_they_rest_on(iteration):
    examples, counts = derive(iteration)
    assert counts.pop("kept") == len(examples) == Example.objects.count()
    judged = set(iteration.tasks.values_list("response_id", flat=True))
    for example in examples:
        behind = list(example.annotations.all())
        if example.accepted_by == "people":
            assert [a.task.response_id for a in behind] == [example.response_id]
            assert example.response_id in judged
        else:
            assert not behind
            assert example.response.verdict == "right"
    assert {e.accepted_by for e in examples} == {"people", "verifier"}
    # An answer that became an example is marked so: the person's work counted.
    used = {a.pk for e in examples for a in e.annotations.all()}
    assert set(Annotation.objects.filter(state="accepted").values_list("pk", flat=True)) == used


def test_deriving_again_stores_nothing_twice(iteration):
    first, counts = derive(iteration)
    links = Example.annotations.through.objects.count()
    again, counts_again = derive(iteration)
    assert [e.pk for e in again] == [e.pk for e in first]
    assert (counts_again, Example.objects.count()) == (counts, len(first))
    assert Example.annotations.through.objects.count() == links


def test_small_parts_give_what_one_gives(iteration, monkeypatch, django_assert_num_queries):
    at_once, whole = materials_of(iteration.pk), derive(iteration)
    Example.objects.all().delete()
    monkeypatch.setattr("webapp.curate.selectors.PROMPTS_AT_ONCE", 4)
    with django_assert_num_queries(1 + 2 * 4):
        parts = list(material_parts(iteration.pk))
    assert [len(part) for part in parts] == [4, 2]
    assert [material for part in parts for material in part] == at_once
    again = derive(iteration)
    assert [e.row_sha for e in again[0]] == [e.row_sha for e in whole[0]]
    assert list(again[1].items()) == list(whole[1].items())


def test_wrong_responses_never_become_samples(iteration):
    examples, counts = derive(iteration, CuratePart(rows=("sample",)))
    for example in examples:
        steps = example.row["chosen"].split("\n")
        assert judge(example.prompt.record(), steps).first_error is None
    assert counts["kept"] + sum(v for k, v in counts.items() if k != "kept") == 12


def test_reading_the_material_costs_the_same_for_more_prompts(iteration, django_assert_num_queries):
    for _ in range(2):
        with django_assert_num_queries(5):  # prompts, responses, scores, critiques, preferences
            assert materials_of(iteration.pk)
        prompt = support.make.prompt_make(iteration.project)
        support.make.response_make(prompt, iteration=iteration)


def test_a_shuffled_control_keeps_every_count(iteration):
    before = materials_of(iteration.pk)
    after = shuffle_verdicts(before, seed=3)

    def verdicts(materials):
        return Counter((s.name, s.verdict) for m in materials for s in m.scores)

    def judgements(materials):
        return Counter(c.verdict for m in materials for c in m.judgements if c.author is Author.PERSON)

    assert verdicts(after) == verdicts(before) == {("verifier", "right"): 6, ("verifier", "wrong"): 6}
    assert judgements(after) == judgements(before)
    moved = [
        (a.response_id, a.verdict) != (b.response_id, b.verdict)
        for m, n in zip(before, after, strict=True)
        for a, b in zip(m.scores, n.scores, strict=True)
    ]
    assert any(moved)
    assert shuffle_verdicts(before, seed=3) == after


def test_continuations_are_asked_only_where_people_marked_an_error(iteration):
    ids = corrected_critique_ids(iteration)
    marked = iteration.tasks.filter(response__verdict="wrong").count()
    assert len(ids) == len(set(ids)) == marked > 0


def test_outcome_rows_are_the_very_samples(iteration, django_assert_num_queries):
    Response.objects.filter(iteration=iteration).update(token_ids=[5, 6], logprobs=[-0.5, -0.25])
    with django_assert_num_queries(5):
        with_tokens = materials_of(iteration.pk, tokens=True)
    assert {r.token_ids for m in with_tokens for r in m.responses} == {(5, 6)}
    assert {r.token_ids for m in materials_of(iteration.pk) for r in m.responses} == {()}
    examples, _ = examples_derive(
        project=iteration.project,
        iteration_id=iteration.pk,
        materials=[with_tokens],
        part=CuratePart(rows=("outcome",)),
        dialect=dialect_named(iteration.project.dialect),
    )
    rows = [e.row for e in Example.objects.filter(pk__in=[e.pk for e in examples])]
    assert {r["label"] for r in rows} == {True, False}
    assert all((r["token_ids"], r["logprobs"]) == ([5, 6], [-0.5, -0.25]) for r in rows)
    assert all(0 <= r["rate"] <= 1 for r in rows)
