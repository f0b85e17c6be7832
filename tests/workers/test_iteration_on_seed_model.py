"""One whole small iteration with the real seed model, engine, trainer and database, no queue in between."""

import pytest

from loop.dialects.terse import Terse
from loop.records import Split
from webapp.embedded.layout import ROOT

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not (ROOT / "workers" / "seed" / "model" / "model.safetensors").is_file(), reason="no seed model"
    ),
]


def test_sampled_judged_trained_measured_decided(settings, tmp_path):
    from tests.webapp.iterations import support
    from webapp.curate.services import dataset_rows
    from webapp.iterations.models import RunPoint
    from webapp.registry.models import Evaluation
    from webapp.traces.models import Response
    from workers import tasks

    settings.ADAPTERS_DIR, settings.RUNS_DIR = tmp_path / "adapters", tmp_path / "runs"
    project = support.project_with_prompts(60, 60, 10)
    recipe = support.small("rest-em", "settings.samples=4", "annotate.take=10", "finetune.epochs=1")
    iteration = support.start(project, recipe, simulate_annotators=True)
    while unit := support.claim_any():
        tasks.work(unit.pk, unit.token, unit.kind)
    iteration.refresh_from_db()
    assert iteration.status == "done", iteration.problem
    assert support.moves(iteration) == support.straight_to("done")

    samples = Response.objects.filter(iteration=iteration, origin="sample")
    assert samples.count() == 240
    right = samples.filter(verdict="right").count()
    assert 40 <= right <= 220  # a model that can neither do nothing nor everything
    one = samples.filter(finish="stop").first()
    assert len(one.token_ids) == len(one.logprobs) > 0
    assert max(one.logprobs) <= 1e-6
    assert [s.text for s in one.steps] == [s.text for s in Terse().split_steps(one.text)]
    assert all(one.text[s.start : s.end] == s.text for s in one.steps)
    assert one.steps[0].token_start == 0

    rows = dataset_rows(dataset=iteration.dataset_version)
    assert len(rows) >= 16
    points = list(RunPoint.objects.order_by("step"))
    assert points[-1].step == points[-1].total_steps
    assert all(p.loss is None or p.loss < 5 for p in points)
    challenger = iteration.challenger
    assert (settings.ADAPTERS_DIR / challenger.adapter_path / "adapter_model.safetensors").is_file()
    assert len(challenger.base_sha) == 64
    (folder,) = settings.RUNS_DIR.iterdir()
    left = {path.name for path in folder.iterdir()}
    assert {"job.json", "rows.jsonl", "progress.jsonl"} <= left
    assert not left & {"checkpoints", "checkpoints.tmp"}  # hundreds of megabytes that nobody resumes from

    decision = iteration.decision
    assert decision["n"] == 60
    assert 0.2 <= decision["before"] <= 0.9
    low, high = decision["ci95"]
    assert low <= decision["effect"] <= high
    bare = Evaluation.objects.bare().filter(done=True)
    measured = bare.values_list("split", "n").order_by("id")
    assert sorted(measured) == [(s, n) for s, n in ((Split.HELDOUT, 60), (Split.PROBE, 10)) for _ in range(2)]
    assert all(tokens > n for n, tokens in Evaluation.objects.values_list("n", "tokens"))
    baseline = decision["baseline"]  # the base once more, with accepted examples in its prompt
    assert (baseline["n"], baseline["shots"], baseline["fewer_shots"]) == (60, 2, 0)
    assert decision["cost"]["baseline"]["tokens_per_answer"] > 0
    # The adapter was really used: some answers differ from the base's on the same prompts.
    answers = [
        list(e.outcomes.order_by("prompt_id").values_list("response__text", flat=True))
        for e in bare.filter(split="heldout")
    ]
    assert answers[0] != answers[1]
