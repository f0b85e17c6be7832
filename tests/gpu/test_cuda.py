"""The same engine and trainer on a CUDA device. Skipped, visibly, where there is none."""

from __future__ import annotations

import pytest

from loop.model import GenerateRequest, ScoreRequest
from loop.records import Message, Sampling
from tests.workers.tiny import make_model
from tests.workers.training import make_run, sft_rows
from workers.engines.transformers_engine import TransformersEngine
from workers.trainers.supervise import Wish, run_training

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.xdist_group("torch"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
QUESTIONS = [(Message("user", f"What is {i} + 4?"),) for i in range(6)]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("llama"), "llama")


def test_greedy_text_and_scores_equal_the_cpus_in_float32(base):
    here, there = (TransformersEngine(str(base), device=d, dtype="float32") for d in ("cpu", "cuda"))
    requests = [GenerateRequest(q, Sampling(max_new_tokens=12), seeds=(0,)) for q in QUESTIONS]
    assert [c[0].text for c in there.generate(requests)] == [c[0].text for c in here.generate(requests)]
    scored = [ScoreRequest(q, "4 + 4 = 8") for q in QUESTIONS]
    for a, b in zip(there.score(scored), here.score(scored), strict=True):
        assert a.total == pytest.approx(b.total, abs=1e-3)


def test_the_same_requests_give_the_same_samples_in_bfloat16(base):
    engine = TransformersEngine(str(base), device="cuda")
    hot = Sampling(temperature=1.0, max_new_tokens=12)
    requests = [GenerateRequest(q, hot, seeds=(1, 2)) for q in QUESTIONS]
    first = engine.generate(requests)
    assert engine.generate(requests) == first


def test_a_lora_run_ends_with_an_adapter(base, tmp_path):
    run = make_run(tmp_path / "run", base, sft_rows())
    result = run_training(run, lambda lines: None, lambda: Wish.GO_ON)
    assert result.done, result.message
