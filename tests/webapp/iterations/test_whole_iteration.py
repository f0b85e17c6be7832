"""Whole iterations through the real worker code: from prompts to a promoted challenger, in this process."""

import json
from pathlib import Path

import pytest

from loop.domains.arithmetic.check import judge
from loop.records import RowKind
from tests.webapp.iterations import support
from tests.webapp.iterations.scripted_worker import Workers
from webapp.curate.models import Example
from webapp.curate.services import dataset_rows
from webapp.iterations.models import RunPoint, WorkUnit
from webapp.iterations.selectors import iteration_report, stage_seconds
from webapp.iterations.services import (
    LeaseLost,
    iteration_pause,
    iteration_resume,
    iteration_retry,
    unit_claim,
)
from webapp.registry.models import Evaluation, ModelVersion
from webapp.traces.models import Response
from workers import tasks

pytestmark = pytest.mark.django_db(transaction=True)
SIZES = (20, 16, 6)  # with 16 held-out prompts the better model wins at least twice, whatever the ids


@pytest.fixture
def workers(monkeypatch, settings, tmp_path):
    monkeypatch.setattr("webapp.iterations.services.stages.PROMPTS_PER_UNIT", 8)
    monkeypatch.setattr("webapp.iterations.services.stages.PROMPTS_PER_EVALUATION", 5)
    return Workers(monkeypatch, settings, tmp_path, support.prompt_records(*SIZES))


@pytest.fixture
def project():
    return support.project_with_prompts(*SIZES)


def recipe(name="rest-em", *changes):
    # Of six probe prompts and slices of five, chance flips some: neither may decide here.
    easy = ["gate.guard_tolerance=0.5", "gate.guard_alpha=0.000001", "gate.hold_on_slices=false"]
    return support.small(name, "annotate.take=8", "gate.alpha=0.99", "settings.samples=3", *easy, *changes)


def whole(workers, project, wanted, **values):
    iteration = support.start(project, wanted, simulate_annotators=True, **values)
    done = [kind for kind in workers.work_all() if kind != "measure"]  # when it is done is nobody's business
    iteration.refresh_from_db()
    assert iteration.status == "done", f"{iteration.stage} {iteration.status}: {iteration.problem}"
    return iteration, done


def test_rest_em_from_prompts_to_promotion(workers, project, settings):
    iteration, done = whole(workers, project, recipe())
    assert done == [*["generate"] * 3, "simulate", "continue", "curate", "train", *["evaluate"] * 16]
    assert support.moves(iteration) == support.straight_to("done")
    assert set(iteration.units.values_list("attempt", flat=True)) == {1}
    assert set(stage_seconds(iteration)) == set(support.STRAIGHT) - {"done"}

    samples = Response.objects.filter(iteration=iteration, origin="sample")
    assert samples.count() == 60
    assert set(samples.values_list("prompt__split", flat=True)) == {"train"}
    counts = iteration.counts
    everything = Response.objects.filter(iteration=iteration)
    assert (counts["prompts"], counts["failed_prompts"]) == (20, 0)
    assert counts["sampled"] == everything.count()
    assert counts["verified"] == everything.filter(verdict="right").count()
    assert counts["annotated"] == 8
    assert sum(counts["accepted"].values()) == counts["kept"] == counts["trained"]
    assert set(counts["accepted"]) == {"sample", "trajectory"}

    # What was trained is what was frozen, and all of it is right unless a simulated person erred.
    (job, rows), *more = workers.trainer.runs
    assert not more
    assert rows == dataset_rows(dataset=iteration.dataset_version)
    assert job["seed"] == iteration.seed
    for example in Example.objects.exclude(accepted_by="people"):
        assert judge(example.prompt.record(), example.row["chosen"].split("\n")).verdict == "right"

    project.refresh_from_db()
    challenger = iteration.challenger
    assert project.champion == challenger
    assert (challenger.status, challenger.base_sha) == ("champion", "b" * 64)
    assert challenger.dataset_version == iteration.dataset_version
    assert challenger.recipe == "rest-em v1"
    stored = settings.ADAPTERS_DIR / challenger.adapter_path
    assert json.loads((stored / "manifest.json").read_text())["rows"] == len(rows)
    assert Path(challenger.adapter_path).name == challenger.adapter_sha
    assert list(RunPoint.objects.values_list("step", "loss")) == [(1, 1.0), (2, 0.5)]

    decision = iteration.decision
    assert decision["promote"]
    assert decision["n"] == 16
    assert decision["after"] > decision["before"]
    assert decision["effect"] == pytest.approx(decision["after"] - decision["before"])
    assert set(decision["guards"]) == {
        "answers that can be read",
        "answers that come to an end",
        "probe accuracy",
    }
    assert decision["against"]["champion"]["effect"] == decision["effect"]
    assert set(decision["against"]) == {"champion"}  # which is the base
    assert decision["failing"]["unpaired"] == []
    assert len(decision["failing"]["lost"]) == decision["turned_wrong"]
    assert decision["slice"] == {
        "number": 1, "of": 1, "prompts": 16, "uses": 0, "budget": None, "exhausted": False
    }  # fmt: skip
    baseline = decision["baseline"]
    assert (baseline["shots"], baseline["n"], baseline["fewer_shots"]) == (2, 16, 0)
    shown = Evaluation.objects.get(sampling__has_key="shots")
    assert (shown.model_version, shown.split) == (iteration.champion, "heldout")
    asked = [shot["user"] for shot in shown.sampling["shots"]]
    assert set(asked) <= set(project.prompts.filter(split="train").values_list("text", flat=True))
    for who in ("champion", "challenger", "baseline"):
        assert decision["cost"][who]["tokens_per_answer"] > 0
        assert decision["cost"][who]["seconds_per_answer"] > 0
        assert not decision["cost"][who]["earlier"]
    report = iteration_report(iteration)
    assert json.loads(json.dumps(report)) == report
    assert (report["promoted"], report["heldout_after"]) == (True, decision["after"])


def test_work_done_again_writes_the_same_records(workers, project, monkeypatch):
    """A worker that dies just before it commits: whoever repeats its unit says exactly the same."""
    from workers.stages import generate

    support.start(project, recipe())
    spoken = []

    def lost(**work):
        spoken.extend((r.id, r.text, r.seed) for t in work["traces"] for r in t.responses)
        raise LeaseLost("died")

    unit = unit_claim(queue="model")
    with monkeypatch.context() as patch:
        patch.setattr(generate, "traces_store", lost)
        tasks.work(unit.pk, unit.token, unit.kind)
    assert not Response.objects.exists()
    WorkUnit.objects.filter(pk=unit.pk).update(leased_until="2020-01-01T00:00:00Z")
    again = unit_claim(queue="model")
    assert (again.pk, again.attempt) == (unit.pk, 2)
    tasks.work(again.pk, again.token, again.kind)
    stored = [(str(pk), text, seed) for pk, text, seed in Response.objects.values_list("id", "text", "seed")]
    assert sorted(stored) == sorted(spoken)


def test_the_control_arm_shares_responses_and_is_never_promoted(workers, project):
    main, _ = whole(workers, project, recipe())
    sampled = Response.objects.filter(iteration__isnull=False).count()
    control, done = whole(workers, project, recipe(), control_of=main)
    assert support.moves(control) == support.straight_to("done")
    assert "generate" not in done
    assert "simulate" not in done
    # Only the control model is measured: the champion was, on exactly these prompts.
    assert done.count("evaluate") == 6
    # Without and with examples in the prompt.
    assert Evaluation.objects.filter(model_version=main.champion, split="heldout").count() == 2
    assert Response.objects.filter(iteration__isnull=False).count() == sampled
    assert (control.champion, control.arm) == (main.champion, "shuffled")
    assert control.counts["sampled"] == main.counts["sampled"]
    assert control.counts["verified"] == main.counts["verified"]
    project.refresh_from_db()
    assert project.champion == main.challenger
    assert control.challenger.status == "control"
    assert control.decision["promote"] is False
    assert control.decision["reasons"][0] == "control arm: never promoted"
    main_rows = dataset_rows(dataset=main.dataset_version)
    assert dataset_rows(dataset=control.dataset_version) != main_rows


def test_self_learns_critique_and_refinement_and_replays(workers, project):
    first, _ = whole(workers, project, recipe("rest-em", "gate.min_effect=1"))  # held: half is still wrong
    second, done = whole(workers, project, recipe("self", "settings.content_free=1"))
    assert done.count("generate") == 3
    assert second.counts["failed_prompts"] == 0
    kinds = set(Example.objects.filter(iteration=second).values_list("kind", flat=True))
    assert RowKind.CRITIQUE.value in kinds
    assert kinds <= {"sample", "trajectory", "critique", "refinement"}
    assert 0 < second.counts["replayed"] <= first.counts["kept"]
    assert second.counts["trained"] <= second.counts["kept"] + second.counts["replayed"]
    # What the same champion said again is trained once.
    rows = dataset_rows(dataset=second.dataset_version)
    said = [(r["kind"], r["prompt_id"], r["messages"][-1]["content"], r["chosen"]) for r in rows]
    assert len(set(said)) == len(said)
    assert Response.objects.filter(iteration=second, origin="refinement").exists()
    assert second.champion == first.champion
    job, _ = workers.trainer.runs[-1]
    assert job["start_adapter"] is None  # SELF restarts from the base
    controls = Response.objects.filter(iteration=second, scores__name="content_free")
    assert controls.exists()
    assert not Example.objects.filter(response__in=controls).exists()
    measured = dict(second.metrics.values_list("name", "value"))
    rewriting = ("acc_2", "content_effect", "critic_tnr", "critic_first_error", "accept_rate", "ppi_right")
    training = ("row_age", "train_loss", "tokens_ratio", "probe_gain", "forgetting", "failed_prompts")
    for name in (*rewriting, *training):
        assert measured[name] is not None, name
    assert measured["heldout_gain"] == second.decision["effect"]
    assert second.challenger.parent.number == 1


def test_step_dpo_trains_pairs_from_the_champion(workers, project, settings):
    first, _ = whole(workers, project, recipe())
    assert first.decision["promote"], (first.decision, first.problem)
    assert first.decision["promote"], first.decision["reasons"]
    second, _ = whole(workers, project, recipe("step-dpo"))
    rows = dataset_rows(dataset=second.dataset_version)
    assert {r["kind"] for r in rows} <= {"step_pair", "preference"}
    assert all(r["rejected"] for r in rows)
    job, _ = workers.trainer.runs[-1]
    assert job["start_adapter"] == str(settings.ADAPTERS_DIR / first.challenger.adapter_path)
    assert second.challenger.parent == first.challenger
    names = list(ModelVersion.objects.order_by("number").values_list("name", flat=True))
    assert names == [f"{project.slug}-v{n}" for n in (1, 2, 3)]
    assert ModelVersion.objects.filter(status="champion").count() == 1


def test_a_hold_keeps_the_champion(workers, project, monkeypatch):
    monkeypatch.setattr(workers, "engine_with", lambda version: workers.model.engine)  # no adapter helps
    for stage in ("generate", "evaluate", "continuation"):
        monkeypatch.setattr(f"workers.stages.{stage}.engine_with", workers.engine_with)
    iteration, _ = whole(workers, project, recipe())
    project.refresh_from_db()
    assert project.champion == iteration.champion
    assert iteration.challenger.status == "held"
    assert "held-out accuracy did not change" in iteration.decision["reasons"]


def test_a_champion_changed_meanwhile_holds_the_challenger(workers, project):
    from webapp.registry.services import champion_promote, model_register

    iteration = support.start(project, recipe(), simulate_annotators=True)
    other = model_register(project=project)
    champion_promote(project=project, version=other, reason="by hand")
    workers.work_all()
    iteration.refresh_from_db()
    project.refresh_from_db()
    assert (iteration.status, project.champion) == ("done", other)
    assert (iteration.decision["passed"], iteration.decision["promote"]) == (True, False)
    assert "stopped being champion meanwhile" in iteration.decision["reasons"][0]


def test_prompts_imported_during_an_iteration_wait_for_the_next(workers, project):
    iteration = support.start(project, recipe(), simulate_annotators=True)
    support.make.prompt_make(project, split="heldout")
    support.make.prompt_make(project, split="probe")
    workers.work_all()
    iteration.refresh_from_db()
    assert (iteration.status, iteration.decision["n"]) == ("done", 16)


def test_no_held_out_prompts_hold_with_a_reason(workers):
    project = support.project_with_prompts(20, 0, 0)
    iteration, _ = whole(workers, project, recipe())
    assert iteration.decision["promote"] is False
    assert any("held-out prompts" in reason for reason in iteration.decision["reasons"])
    assert iteration_report(iteration)["heldout_before"] is None


def test_a_failing_model_fails_the_iteration_in_words_and_a_retry_goes_on(workers, project, monkeypatch):
    from workers.stages import generate

    calls = []

    def flaky(version):
        calls.append(version)
        if len(calls) == 2:
            raise RuntimeError("out of memory")
        return workers.engine_with(version)

    monkeypatch.setattr(generate, "engine_with", flaky)
    iteration = support.start(project, recipe(), simulate_annotators=True)
    workers.work_all()
    iteration.refresh_from_db()
    assert (iteration.status, iteration.problem) == (
        "failed",
        "generate (generate): RuntimeError: out of memory",
    )
    before = set(Response.objects.values_list("pk", flat=True))
    assert len(before) == 8 * 3
    iteration_retry(iteration=iteration, by=None)
    workers.work_all()
    iteration.refresh_from_db()
    assert iteration.status == "done"
    assert before < set(Response.objects.filter(iteration=iteration).values_list("pk", flat=True))
    assert Response.objects.filter(iteration=iteration, origin="sample").count() == 60
    assert len(calls) == 4


def test_pause_in_the_middle_of_a_unit_gives_it_back(workers, project, monkeypatch):
    from workers.lease import Lease, Stopped

    iteration = support.start(project, recipe(), simulate_annotators=True)

    def paused(lease):
        raise Stopped("the iteration was paused")

    unit = unit_claim(queue="model")
    iteration_pause(iteration=iteration, by=None)
    with monkeypatch.context() as patch:
        patch.setattr(Lease, "check", paused)
        tasks.work(unit.pk, unit.token, unit.kind)
    unit.refresh_from_db()
    assert (unit.state, unit.attempt) == ("queued", 0)
    assert not Response.objects.exists()
    assert workers.work_all() == []
    iteration_resume(iteration=iteration, by=None)
    workers.work_all()
    iteration.refresh_from_db()
    assert iteration.status == "done"
