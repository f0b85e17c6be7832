"""From an iteration's rows to its metric values, by hand."""

import math

import pytest

from loop.stages import Stage
from tests import factories as make
from webapp.curate.models import DatasetVersion, Example
from webapp.metrics.figures.details import details_of
from webapp.metrics.models import MetricValue, PromptFigures
from webapp.metrics.services import stage_measure
from webapp.traces.models import Response, Score

pytestmark = pytest.mark.django_db
R, W = "right", "wrong"


@pytest.fixture
def iteration():
    return make.iteration_make(make.project_make())


def measured(iteration, stage=Stage.GENERATE):
    assert stage_measure(iteration=iteration, stage=stage).failed == ()
    return {row.name: row for row in MetricValue.objects.filter(iteration=iteration)}


def responses(iteration, *verdicts, **values):
    """One prompt with a response per verdict; ``values`` list what differs between them."""
    prompt = make.prompt_make(iteration.project)
    each = [{name: some[i] for name, some in values.items()} for i in range(len(verdicts))]
    return [
        make.response_make(prompt, iteration=iteration, verdict=v, **own)
        for v, own in zip(verdicts, each, strict=True)
    ]


def test_share_right_counts_decided_samples_only(iteration):
    responses(iteration, R, R, W, "unknown", "error")
    found = measured(iteration)["samples_right"]
    assert (found.value, found.n, found.detail) == (pytest.approx(2 / 3), 1, {"unscored": 2})
    assert found.low is None  # one prompt does not show how much prompts differ


def test_silence_is_wrong_where_speaking_could_have_been_right(iteration):
    responses(iteration, R, "unknown", answer=["4", None])
    free = make.prompt_make(iteration.project, verifier="", reference=None)
    make.response_make(free, iteration=iteration, verdict="unknown", answer=None)
    found = measured(iteration)["samples_right"]
    assert (found.value, found.detail) == (0.5, {"unscored": 1})


def test_pass_at_k_is_the_unbiased_mean_over_prompts(iteration):
    responses(iteration, R, W)  # k = 2 samples: at least one right
    responses(iteration, W, W)
    found = measured(iteration)["pass_at_k"]
    assert (found.value, found.n, found.detail["k"]) == (0.5, 2, 2)
    assert [line[:2] for line in found.detail["curve"]] == [[1, 0.25], [2, 0.5]]


def test_a_repeat_replaces(iteration):
    responses(iteration, R)
    assert measured(iteration)["samples_right"].value == 1
    Response.objects.update(verdict=W)
    assert measured(iteration)["samples_right"].value == 0
    assert PromptFigures.objects.get(iteration=iteration).right == 0


def test_a_vote_a_scorer_and_the_model_s_own_confidence(iteration):
    # Two say 5 and are right, one 7 and is wrong; the scorer likes the 7, the log-probabilities a 5.
    made = responses(
        iteration,
        *(R, R, W),
        answer=["5", "$5", "7"],
        logprobs=[[-0.5, -0.5], [-2.0], [-1.0]],
        token_ids=[[1, 2], [1], [1, 2, 3, 4]],
    )
    for response, value in zip(made, (0.2, 0.1, 0.9), strict=True):
        Score.objects.create(response=response, name="reward", value=value)
    found = {name: row.value for name, row in measured(iteration).items()}
    assert (found["maj_at_k"], found["best_of_n:reward"], found["best_of_n:logprob"]) == (1, 0, 1)
    assert found["exploitation_gap:reward"] == pytest.approx((1 - 0) / (1 - 2 / 3))
    assert found["reward_pass_at_k:reward"] == 1
    assert found["answers_distinct"] == pytest.approx(2 / 3)
    assert found["vote_share"] == pytest.approx(2 / 3)
    assert found["answer_entropy"] == pytest.approx(-(2 / 3) * math.log2(2 / 3) - (1 / 3) * math.log2(1 / 3))
    assert found["gv_gap:logprob"] == pytest.approx(1 - 2 / 3)
    assert found["gv_gap_relative:logprob"] == pytest.approx(1)
    assert found["brier:reward"] == pytest.approx((0.8**2 + 0.9**2 + 0.9**2) / 3)
    assert (found["auroc:reward"], found["auroc:vote_share"]) == (0, 1)
    assert found["sample_tokens"] == pytest.approx(7 / 3)
    assert found["length_score:reward"] > 0.9
    row = PromptFigures.objects.get(iteration=iteration)
    assert (row.samples, row.scored, row.right, row.answers) == (3, 3, 2, 2)
    assert (row.majority, row.best, row.tokens) == (True, False, pytest.approx(7 / 3))


def test_without_answers_there_is_no_vote(iteration):
    """A checker of whole texts: what is right states no answer."""
    responses(iteration, R, R, answer=[None, None])
    found = measured(iteration)
    assert found["pass_at_k"].value == 1
    assert not {"maj_at_k", "vote_share", "answers_distinct", "confident_wrong"} & found.keys()
    assert PromptFigures.objects.get(iteration=iteration).majority is None


def test_a_verdict_of_its_own_says_what_a_scorer_keeps(iteration):
    made = responses(iteration, R, W, W, R, W)  # keeps the 1st, 2nd and 4th
    for response, said in zip(made, (R, R, W, R, W), strict=True):
        Score.objects.create(response=response, name="self_verdict", value=float(said == R), verdict=said)
    found = measured(iteration)
    assert found["gv_gap:self_verdict"].value == pytest.approx(2 / 3 - 2 / 5)
    assert found["gv_gap_relative:self_verdict"].value == pytest.approx((2 / 3 - 2 / 5) / (3 / 5))


@pytest.mark.parametrize(
    "verdicts",
    [[], [[R]], [[W], [R]], [["unknown"] * 3] * 2, [["error"], [R, R]], [[R] * 4] * 3, [[W] * 4] * 3],
    ids=["nothing", "one", "one of each", "unscored", "an error", "all right", "all wrong"],
)
def test_what_is_not_defined_is_left_out_or_says_why(iteration, verdicts):
    for some in verdicts:
        for i, response in enumerate(responses(iteration, *some)):
            Score.objects.create(response=response, name="reward", value=i / 8)
    found = measured(iteration)
    assert bool(found) == bool(verdicts)
    assert all(row.value is not None or row.detail["reason"] for row in found.values())
    assert stage_measure(iteration=iteration, stage=Stage.CURATE).failed == ()


def test_a_control_arm_has_no_samples_of_its_own(iteration):
    responses(iteration, R, W)
    control = make.iteration_make(iteration.project, arm="shuffled", control_of=iteration)
    assert measured(control) == {}


def kept(iteration, *rows, counts=None, **values):
    """A dataset of these responses."""
    examples = [
        Example.objects.create(
            project=iteration.project, iteration=iteration, prompt=r.prompt, response=r, kind="sample",
            row={}, row_sha=str(r.pk), accepted_by="verifier", **values,
        )
        for r in rows
    ]  # fmt: skip
    iteration.dataset_version = DatasetVersion.objects.create(
        project=iteration.project,
        number=1,
        sha256="0",
        row_count=len(rows),
        example_ids=[e.pk for e in examples],
    )
    iteration.counts = counts or {}
    iteration.save()


def test_what_the_filter_kept(iteration):
    easy = responses(iteration, R, R, R, W)
    hard = responses(iteration, R, W, W, W)
    never = responses(iteration, W, W, W, W)
    kept(iteration, easy[0], easy[1], easy[3], hard[0])
    found = measured(iteration, Stage.CURATE)
    values = {name: row.value for name, row in found.items()}
    assert values["kept_rate"] == pytest.approx(4 / 12)
    assert values["kept_right"] == pytest.approx(3 / 4)
    assert values["kept_gain"] == pytest.approx(3 / 4 - 4 / 12)
    assert values["kept_recall"] == pytest.approx(3 / 4)
    assert values["kept_per_prompt"] == pytest.approx(4 / 3)
    assert found["kept_per_prompt"].detail["histogram"] == [[0, 1], [1, 1], [2, 0], [3, 1]]
    assert values["coverage"] == pytest.approx(2 / 3)
    assert (values["coverage_hard"], values["tail_share"], values["tail_ratio"]) == (0, 0, 0)
    assert found["tail_share"].detail == {"hard_prompts": 1}  # of three, the quarter is the one never solved
    bands = details_of(found["coverage"], 1)[0]
    assert [[cell.raw for cell in row] for row in bands.rows] == [
        [None, 0, "", "", 1, 4, 0, 0],
        [None, 1, pytest.approx(0.2065, abs=1e-4), 1, 1, 4, 1, 1 / 4],
        [None, 1, pytest.approx(0.2065, abs=1e-4), 1, 1, 4, 3, 3 / 4],
    ]
    assert [row[0].text for row in bands.rows] == ["0 %", "≤ 40 %", "≤ 80 %"]
    assert bands.title.startswith("Of the hardest prompts that were solved, 100\u202f% have a right sample")
    by_prompt = dict(PromptFigures.objects.values_list("prompt_id", "kept"))
    assert by_prompt == {easy[0].prompt_id: 3, hard[0].prompt_id: 1, never[0].prompt_id: 0}


def test_the_funnel_has_its_steps_and_reasons(iteration):
    counts = {
        "prompts": 2, "sampled": 8, "verified": 4, "accepted": {"sample": 3}, "trained": 3,
        "dropped": {"the checker says wrong": 4}, "left_out": {"too old": 1},
    }  # fmt: skip
    kept(iteration, *responses(iteration, R, R), counts=counts)
    found = measured(iteration, Stage.CURATE)["funnel"]
    assert (found.value, found.low) == (3, None)
    assert found.detail["steps"][0] == ["Prompts", 2]
    assert found.detail["steps"][-1] == ["Trained rows", 3]
    assert found.detail["reasons"] == {"the checker says wrong": 4, "too old": 1}
