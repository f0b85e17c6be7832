"""Held-out and probe figures, by hand and against what the gate writes."""

import pytest
from django.db import transaction

from loop.recipe import recipe_named
from loop.stages import Stage
from tests import factories as make
from tests.webapp.metrics.measuring import measured
from webapp.iterations.services import gate, scorers
from webapp.iterations.services.pinning import evaluation_sets
from webapp.registry import services as registry
from webapp.registry.models import ModelVersion

pytestmark = pytest.mark.django_db


def iteration_of(project, recipe="rest-em", role="policy", **values):
    base = project.champion or registry.base_register(project=project)
    challenger = registry.model_register(
        project=project, parent=base, adapter_path="a", status="challenger", role=role
    )
    plain = recipe_named(recipe).model_dump(mode="json")
    return make.iteration_make(
        project, recipe=plain, champion=base, challenger=challenger, seed=1, stage="evaluate", **values
    )


def project_with(split, n):
    project = make.project_make()
    prompts = [make.prompt_make(project, split=split) for _ in range(n)]
    return project, prompts


def evaluated(iteration, version, split, said, sampling=None):
    """``said``: (verdict, text, tokens) for each prompt of the split; an empty answer cannot be read."""
    ids = evaluation_sets(iteration)[split]
    sampling = sampling or gate.sampling_of(iteration)
    evaluation = registry.evaluation_for(
        version=version,
        split=split,
        sha=registry.prompts_sha(ids, sampling),
        sampling=sampling,
        size=len(ids),
    )
    rows = []
    prompts = {p.pk: p for p in iteration.project.prompts.all()}
    for pk, (verdict, text, tokens) in zip(ids, said, strict=True):
        response = make.response_make(
            prompts[pk],
            text or "hm",
            answer=text.split()[-1] if text else None,
            verdict=verdict,
            token_ids=[1] * tokens,
            model_version=version,
        )
        rows.append((pk, verdict, str(response.pk)))
    registry.outcomes_store(evaluation=evaluation, outcomes=rows)
    with transaction.atomic():
        registry.evaluation_finish_if_complete(evaluation=evaluation)
    return evaluation


R, W = "right", "wrong"


def test_the_gain_is_the_gates_and_texts_are_compared_prompt_by_prompt():
    project, _ = project_with("heldout", 4)
    iteration = iteration_of(project)
    evaluated(iteration, iteration.champion, "heldout",
              [(R, "a b c 4", 4), (W, "a b d 5", 4), (W, "e f g 6", 4), (R, "h i j 7", 4)])  # fmt: skip
    said = [(R, "a a a a a 4", 8), (R, "a a a a a 4", 8), (R, "e f g 4", 4), (W, "", 0)]
    evaluated(iteration, iteration.challenger, "heldout", said)
    found = measured(iteration, Stage.EVALUATE, "Evaluation")
    assert (found["heldout_before"].value, found["heldout_after"].value) == (0.5, 0.75)
    assert found["heldout_gain"].detail == {"p_value": 1.0, "gained": 2, "lost": 1}

    gate.decision_begin(iteration)
    iteration.refresh_from_db()
    for name, key in (("heldout_before", "before"), ("heldout_after", "after"), ("heldout_gain", "effect")):
        assert found[name].value == iteration.decision[key]
    assert list(found["heldout_gain"].ci95) == iteration.decision["ci95"]
    assert found["heldout_gain"].n == iteration.decision["n"] == 4

    # The champion's pairs: ab bc c4, ab bd d5, ef fg g6, hi ij j7: 11 of 12 differ.
    assert found["champion_distinct_2"].value == pytest.approx(11 / 12)
    # The challenger's: aa aa aa aa a4 twice, ef fg g4, none: aa a4 ef fg g4 of 13.
    assert found["challenger_distinct_2"].value == pytest.approx(5 / 13)
    assert found["distinct_2_change"].value == pytest.approx(5 / 13 - 11 / 12)
    # aaaa aaaa aaa4 twice, and efg4: 2 of 7 were there before; the champion repeats none of 4.
    assert found["repeated_4grams"].value == pytest.approx(2 / 7)
    assert found["repeated_4grams_change"].value == pytest.approx(2 / 7)
    assert found["unreadable_change"].value == 0.25
    assert (found["challenger_tokens"].value, found["tokens_ratio"].value) == (5, 1.25)
    assert (found["answers_modal"].value, found["answers_modal"].detail) == (1, {"answer": "4"})


def test_both_sides_the_same_and_an_engine_that_counts_no_tokens():
    project, _ = project_with("heldout", 3)
    iteration = iteration_of(project)
    for version in (iteration.champion, iteration.challenger):
        evaluated(iteration, version, "heldout", [("error", "", 0)] * 3)
    found = measured(iteration, Stage.EVALUATE, "Evaluation")
    assert found["heldout_gain"].value is None
    assert found["challenger_distinct_2"].value is None  # one word each
    assert found["unreadable_change"].value == 0
    assert found["answers_modal"].value is None
    assert "challenger_tokens" not in found


def test_what_was_not_evaluated_has_no_row():
    project, _ = project_with("heldout", 2)
    iteration = iteration_of(project)
    evaluated(iteration, iteration.champion, "heldout", [(R, "x 4", 1)] * 2)
    assert measured(iteration, Stage.EVALUATE, "Evaluation") == {}
    assert measured(iteration, Stage.EVALUATE, "Forgetting") == {}
    assert measured(make.iteration_make(project), Stage.EVALUATE, "Evaluation") == {}


def test_of_a_scorer_it_is_what_it_picks_that_is_right():
    project, _ = project_with("heldout", 4)
    iteration = iteration_of(project, "prm", role="process_reward")
    for who, right in ((scorers.FIRST, 1), (scorers.CHALLENGER, 3)):
        version, sampling = scorers.measured(iteration)[who]
        said = [(R if i < right else W, "x 4", 2) for i in range(4)]
        evaluated(iteration, version, "heldout", said, sampling)
    found = measured(iteration, Stage.EVALUATE, "Evaluation")
    assert set(found) == {"heldout_before", "heldout_after", "heldout_gain"}
    assert (found["heldout_before"].value, found["heldout_after"].value) == (0.25, 0.75)
    assert found["heldout_after"].detail["picks"] is True


def test_forgetting_is_against_the_best_of_all_that_were_in_use():
    project, prompts = project_with("probe", 4)
    first = iteration_of(project)
    middle = first.challenger
    evaluated(first, first.champion, "probe", [(v, "x 4", 1) for v in (R, W, W, W)])
    evaluated(first, middle, "probe", [(v, "x 4", 1) for v in (W, R, R, R)])
    registry.champion_promote(project=project, version=middle)
    project.refresh_from_db()
    second = iteration_of(project)
    assert second.champion == middle
    held = ModelVersion.objects.get(pk=second.challenger.pk)
    evaluated(second, held, "probe", [(v, "x 4", 1) for v in (R, R, W, W)])
    found = measured(second, Stage.EVALUATE, "Forgetting")
    assert (found["probe_after"].value, found["probe_gain"].value) == (0.5, -0.25)
    assert (found["forgetting"].value, found["forgetting"].detail["best"]) == (0.25, middle.name)
    assert list(found["forgetting"].detail["models"].values()) == [0.25, 0.75]
    assert (found["forgotten"].value, found["forgotten"].n) == (0.5, 4)
    assert found["forgotten"].detail["prompts"] == [prompts[2].pk, prompts[3].pk]
