"""Iterations that train a scorer, and iterations that use one: by the real worker code, model made up."""

import hashlib

import pytest
from django.urls import reverse

from loop.domains.arithmetic.check import judge
from tests import factories as make
from tests.webapp.iterations import support
from tests.webapp.iterations.scripted_worker import TERSE, Workers
from webapp.curate.models import Example
from webapp.curate.services import dataset_rows
from webapp.iterations import decision_page
from webapp.iterations.flips import pair_of
from webapp.iterations.models import Iteration, WorkUnit
from webapp.iterations.services import IterationError
from webapp.registry.models import Evaluation, ModelVersion, Promotion
from webapp.registry.selectors import scorer_in_use
from webapp.registry.services import base_register, champion_promote, model_register
from webapp.traces.models import Response, Score
from workers import tasks
from workers.stages import rank

pytestmark = pytest.mark.django_db(transaction=True)
SIZES = (12, 16, 2)
LOOSE = ["annotate.take=6", "gate.alpha=0.99", "gate.guard_tolerance=0.2", "settings.samples=3"]


class Scorers:
    """What scorers say: a good one sees whether the answer is right, a blind one guesses by hash."""

    def __init__(self, workers):
        self.workers, self.blind = workers, set()
        workers.model.engine._reward = self.say

    def say(self, request, text):
        prompt = self.workers.model.by_text[request.messages[0].content]
        if request.adapter in self.blind:
            return hashlib.sha256(f"{prompt.id}{text}".encode()).digest()[0] / 255
        if TERSE.read_answer(text) is None:
            return 0.8
        return 0.9 if judge(prompt, [s.text for s in TERSE.split_steps(text)]).verdict == "right" else 0.1


@pytest.fixture
def workers(monkeypatch, settings, tmp_path):
    monkeypatch.setattr("webapp.iterations.services.scorers.PROMPTS_PER_RANKING", 6)
    made = Workers(monkeypatch, settings, tmp_path, support.prompt_records(*SIZES))
    monkeypatch.setattr(rank, "engine_with", made.engine_with)
    made.scorers = Scorers(made)
    return made


@pytest.fixture
def project():
    return support.project_with_prompts(*SIZES)


def whole(workers, project, name, *changes, **values):
    recipe = support.small(name, *LOOSE, "evaluate.best_of=4", *changes)
    iteration = support.start(project, recipe, simulate_annotators=True, **values)
    done = [kind for kind in workers.work_all() if kind != "measure"]
    iteration.refresh_from_db()
    assert iteration.status == "done", f"{iteration.stage} {iteration.status}: {iteration.problem}"
    return iteration, done


def put_in_use(project, role="process_reward"):
    base_register(project=project)
    version = model_register(project=project, role=role, adapter_path="some", adapter_sha="0" * 64)
    champion_promote(project=project, version=version)
    return version


def test_marks_become_a_process_reward_model_in_use(workers, project):
    iteration, done = whole(workers, project, "prm")
    assert done == ["generate", "simulate", "curate", "train", *["rank"] * 3]
    assert support.moves(iteration) == support.straight_to("done")
    rows = dataset_rows(dataset=iteration.dataset_version)
    assert rows
    assert {row["kind"] for row in rows} == {"step_labels"}
    assert all(row["steps"] for row in rows)
    assert set(Example.objects.values_list("accepted_by", flat=True)) == {"people"}

    version = iteration.challenger
    project.refresh_from_db()
    assert (version.role, version.status) == ("process_reward", "champion")
    assert scorer_in_use(project, "process_reward") == version
    assert project.champion == iteration.champion  # the policy's pointer stays
    assert Promotion.objects.get().to_version == version

    # 16 prompts, 4 samples each, written once; both evaluations are of the same samples.
    samples = Response.objects.filter(prompt__split="heldout")
    assert samples.count() == 64
    assert set(samples.values_list("iteration", "model_version")) == {(None, iteration.champion_id)}
    assert Score.objects.filter(response__in=samples, name=f"process_reward v{version.number}").count() == 64
    picks = {e.sampling.get("unranked", False): e for e in version.evaluations.filter(split="heldout")}
    ranked, first = picks[False], picks[True]
    assert (ranked.done, ranked.n, first.n, ranked.errors) == (True, 16, 16, 0)
    assert ranked.sampling["of"] == iteration.champion.name
    assert ranked.tokens > 0
    assert list(Evaluation.objects.bare().filter(model_version=version)) == [ranked]
    right = set(samples.filter(verdict="right").values_list("prompt_id", flat=True))
    chosen = set(ranked.outcomes.filter(verdict="right").values_list("prompt_id", flat=True))
    assert chosen == right  # a perfect scorer picks right wherever there is a right one

    decision = iteration.decision
    assert decision["promote"]
    assert decision["before"] == first.accuracy
    assert decision["after"] == ranked.accuracy == decision["picks"]["any_right"]
    assert decision["picks"]["in_use"] is None
    assert decision["picks"]["first_sample"]["before"] == first.accuracy


def test_a_scorer_no_better_than_none_is_held(workers, project, monkeypatch):
    monkeypatch.setattr(workers.scorers, "say", lambda request, text: 0.5)
    workers.model.engine._reward = workers.scorers.say
    iteration, _ = whole(workers, project, "reward-model")
    assert (iteration.challenger.role, iteration.challenger.status) == ("reward", "held")
    assert iteration.decision["reasons"][0] == "held-out accuracy did not change"
    assert scorer_in_use(project, "reward") is None
    assert {row["kind"] for row in dataset_rows(dataset=iteration.dataset_version)} == {"preference"}


def test_the_next_scorer_must_beat_the_one_in_use_on_the_same_samples(workers, project):
    first, _ = whole(workers, project, "prm")
    second, _ = whole(workers, project, "prm")
    assert (second.scorer, second.decision["promote"]) == (first.challenger, False)
    assert second.decision["before"] == second.decision["after"]
    assert second.decision["picks"]["in_use"] == first.challenger.name
    ranked = Evaluation.objects.bare().filter(model_version=first.challenger).order_by("id")
    then, now = ranked.values_list("sampling", flat=True)
    assert now == {**then, "draw": second.number}  # the samples it came into use by decide nothing again
    assert scorer_in_use(project, "process_reward") == first.challenger


def test_a_better_one_replaces_a_blind_one(workers, project):
    blind = put_in_use(project)
    workers.scorers.blind.add(blind.name)
    iteration, _ = whole(workers, project, "prm")
    blind.refresh_from_db()
    assert (iteration.scorer, blind.status) == (blind, "retired")
    assert iteration.decision["promote"]
    assert set(iteration.decision["against"]) == {"champion"}
    assert ModelVersion.objects.filter(status="champion").count() == 2  # a policy and a scorer


def test_a_scorer_replaced_meanwhile_leaves_the_evidence_worthless(workers, project):
    put_in_use(project)
    recipe = support.small("prm", *LOOSE, "evaluate.best_of=2")
    iteration = support.start(project, recipe, simulate_annotators=True)
    while (unit := support.claim_any()) and unit.kind != "rank":
        tasks.work(unit.pk, unit.token, unit.kind)
    other = put_in_use(project)
    WorkUnit.objects.filter(pk=unit.pk).update(state="queued", token=None)
    workers.work_all()
    iteration.refresh_from_db()
    assert not iteration.decision["promote"]
    assert scorer_in_use(project, "process_reward") == other


def test_a_control_arm_is_ranked_and_never_put_in_use(workers, project):
    # Of marks dealt out anew those are left out that the checker contradicts: of a few, perhaps all.
    main, _ = whole(workers, project, "prm", "annotate.take=12")
    control, done = whole(workers, project, "prm", "annotate.take=12", control_of=main)
    assert "generate" not in done
    assert done.count("rank") == 3
    assert (control.challenger.status, control.scorer) == ("control", main.scorer)
    assert control.decision["reasons"][0] == "control arm: never promoted"


@pytest.mark.parametrize(("name", "role"), [("rest-prm", "process reward"), ("best-of-n", "reward")])
def test_a_recipe_that_asks_a_scorer_does_not_start_without_one(project, name, role):
    with pytest.raises(IterationError, match=f"recipe {name} needs a {role} model in use.*train one first"):
        support.start(project, support.small(name))
    assert not Iteration.objects.exists()


def test_a_scorer_of_another_base_is_refused(project):
    version = put_in_use(project, "reward")
    ModelVersion.objects.filter(pk=version.pk).update(base="other")
    with pytest.raises(IterationError, match="was trained on other"):
        support.start(project, support.small("best-of-n"))


def test_best_of_n_learns_from_what_the_pinned_scorer_picks(workers, project):
    scorer = put_in_use(project, "reward")
    iteration, done = whole(workers, project, "best-of-n", "annotate.take=0", "settings.samples=4")
    assert "rank" not in done  # it trains a policy
    assert iteration.scorer == scorer
    assert {r.adapter for batch in workers.model.engine.rewarded for r in batch} == {scorer.name}
    rows = Example.objects.filter(iteration=iteration)
    assert rows.count() == 12  # the best of each prompt, however bad: ranks have no zero
    assert set(rows.values_list("accepted_by", flat=True)) == {"self_verdict"}
    scored = Score.objects.filter(response__iteration=iteration, name="reward")
    assert scored.count() == 12 * 4
    best = {s.response.prompt_id: 0.0 for s in scored.select_related("response")}
    for s in scored.select_related("response"):
        best[s.response.prompt_id] = max(best[s.response.prompt_id], s.value)
    picked = scored.filter(response__in=rows.values("response"))
    assert {s.response.prompt_id: s.value for s in picked.select_related("response")} == best
    assert iteration.challenger.role == "policy"


def test_what_the_process_reward_model_gives_enough_is_trained(workers, project):
    put_in_use(project)
    iteration, _ = whole(workers, project, "rest-prm", "annotate.take=0")
    rows = Example.objects.filter(iteration=iteration)
    assert set(rows.values_list("accepted_by", flat=True)) == {"scorer"}
    assert set(rows.values_list("response__verdict", flat=True)) == {"right"}
    kept = Score.objects.filter(response__in=rows.values("response"), name="process_reward")
    assert min(kept.values_list("value", flat=True)) >= 0.5
    assert kept.first().detail.startswith("steps ")


def test_judgements_are_trained_beside_solutions(workers, project):
    iteration, _ = whole(workers, project, "judge", "annotate.take=0")
    kinds = [row["kind"] for row in dataset_rows(dataset=iteration.dataset_version)]
    assert set(kinds) == {"sample", "judgement"}
    assert kinds.count("judgement") % 2 == 0
    assert iteration.challenger.role == "policy"


def test_reinforcement_takes_prompts_alone(workers, project):
    iteration, _ = whole(workers, project, "grpo", "settings.samples=2")
    rows = dataset_rows(dataset=iteration.dataset_version)
    assert [(row["kind"], row["chosen"], row["dialect"]) for row in rows] == [("prompt", "", "terse-1")] * 12
    assert all(row["verifier"] and row["meta"] for row in rows)
    assert iteration.challenger.role == "policy"


def test_the_decision_says_who_picked(workers, project, client):
    blind = put_in_use(project)
    workers.scorers.blind.add(blind.name)
    iteration, _ = whole(workers, project, "prm")
    shown = decision_page.sides(iteration)
    assert [(str(s.name), s.version) for s in shown] == [
        ("New scorer", iteration.challenger.number),
        ("Scorer in use", blind.number),
        ("No scorer: the first sample", None),
    ]
    assert shown[1].compared["effect"] == pytest.approx(shown[0].accuracy - shown[1].accuracy)
    pair = pair_of(iteration)
    assert (pair.before.model_version, pair.after.model_version) == (blind, iteration.challenger)
    client.force_login(make.member_make(project, "lead"))
    page = client.get(reverse("iteration", args=[project.slug, iteration.number])).content.decode()
    assert "Each side picked one of 4 samples" in page
    assert "No scorer: the first sample" in page
