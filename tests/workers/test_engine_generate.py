"""The transformers engine's sampling: batches, seeds, prefixes, stops, memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from loop.model import GenerateRequest
from loop.records import Message, Sampling
from workers.engines.transformers_engine import TransformersEngine

pytestmark = pytest.mark.xdist_group("torch")

GREEDY = Sampling(max_new_tokens=24)
WARM = Sampling(temperature=1.0, max_new_tokens=24)
QUESTIONS = ["What is 3 + 4?", "Ann has 12 apples, Bob 30. How many do they have?", "7", "Who? " * 12]


@pytest.fixture(scope="module")
def engine(base: Path) -> TransformersEngine:
    return TransformersEngine(str(base), device="cpu")


def ask(
    question: str, sampling: Sampling = GREEDY, seeds: tuple[int, ...] = (1,), prefix: str = ""
) -> GenerateRequest:
    return GenerateRequest((Message("user", question),), sampling, seeds, prefix)


def test_a_batch_gives_what_single_requests_give(engine: TransformersEngine) -> None:
    requests = [ask(q) for q in QUESTIONS] + [ask(q, WARM, (5, 6)) for q in QUESTIONS]
    batch = engine.generate(requests)
    single = [engine.generate([r])[0] for r in requests]
    for b, s in zip(batch, single, strict=True):
        assert [c.token_ids for c in b] == [c.token_ids for c in s]
        for cb, cs in zip(b, s, strict=True):
            assert cb.logprobs == pytest.approx(cs.logprobs, abs=1e-4)
            assert (cb.text, cb.finish) == (cs.text, cs.finish)


def test_greedy_equals_transformers_own_generate(engine: TransformersEngine) -> None:
    import torch

    ids = torch.tensor([engine.tokens.prompt_ids((Message("user", QUESTIONS[1]),))])
    want = engine.model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24)
    got = engine.generate([ask(QUESTIONS[1])])[0][0]
    assert list(got.token_ids) == want[0, ids.shape[1] :].tolist()


def test_a_seed_draws_the_same_text_whatever_else_is_in_the_batch(engine: TransformersEngine) -> None:
    alone = engine.generate([ask(QUESTIONS[0], WARM, (42,))])[0][0]
    crowd = [ask(q, WARM, tuple(range(9))) for q in QUESTIONS] + [ask(QUESTIONS[0], WARM, (7, 42, 8))]
    among = engine.generate(crowd)[-1][1]
    assert among.token_ids == alone.token_ids
    engine.max_rows, whole = 3, engine.max_rows  # rows now come and go in another order
    try:
        assert engine.generate(crowd)[-1][1].token_ids == alone.token_ids
    finally:
        engine.max_rows = whole


def test_n_samples_of_one_prefill_equal_separate_requests(engine: TransformersEngine) -> None:
    together = engine.generate([ask(QUESTIONS[0], WARM, (1, 2, 3, 4))])[0]
    apart = [engine.generate([ask(QUESTIONS[0], WARM, (s,))])[0][0] for s in (1, 2, 3, 4)]
    assert [c.token_ids for c in together] == [c.token_ids for c in apart]
    assert len({c.token_ids for c in together}) > 1


def test_a_prefix_is_continued(engine: TransformersEngine) -> None:
    whole = engine.generate([ask(QUESTIONS[0], Sampling(max_new_tokens=12))])[0][0]
    ids = engine.tokens.text_ids("3 + 4")
    rest = engine.generate([ask(QUESTIONS[0], GREEDY, prefix="3 + 4")])[0][0]
    assert rest.token_ids[:12] != whole.token_ids
    assert engine.tokens.decode([*ids, *rest.token_ids]) == "3 + 4" + rest.text


def test_the_end_token_stops_and_is_not_text(engine: TransformersEngine) -> None:
    found = engine.generate([ask(q, Sampling(1.0, max_new_tokens=200), tuple(range(20))) for q in QUESTIONS])
    stopped = [c for cs in found for c in cs if c.finish == "stop"]
    assert stopped
    for c in stopped:
        assert c.token_ids[-1] in engine.tokens.end_ids
        assert "<|im_end|>" not in c.text
        assert len(c.token_ids) == len(c.logprobs)


def test_a_stop_string_ends_the_text_before_it(engine: TransformersEngine) -> None:
    free = engine.generate([ask(QUESTIONS[2], Sampling(1.0, max_new_tokens=60), (3,))])[0][0]
    stop = free.text[8:10]
    cut = engine.generate([ask(QUESTIONS[2], Sampling(1.0, max_new_tokens=60, stop=(stop,)), (3,))])[0][0]
    assert cut.text == free.text[: free.text.index(stop)]
    assert cut.finish == "stop"
    assert free.token_ids[: len(cut.token_ids)] == cut.token_ids


def test_top_k_1_and_a_tiny_top_p_are_greedy(engine: TransformersEngine) -> None:
    greedy = engine.generate([ask(q) for q in QUESTIONS])
    for sampling in (Sampling(1.0, top_k=1, max_new_tokens=24), Sampling(1.0, top_p=1e-6, max_new_tokens=24)):
        drawn = engine.generate([ask(q, sampling, (11,)) for q in QUESTIONS])
        assert [c[0].token_ids for c in drawn] == [c[0].token_ids for c in greedy]


def test_a_batch_that_does_not_fit_is_split(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [ask(q, WARM, (1, 2, 3)) for q in QUESTIONS]
    want = engine.generate(requests)
    forward, seen = engine.model.forward, []

    def small_machine(*args: object, **kwargs: object) -> object:
        rows = kwargs["input_ids"].shape[0]  # type: ignore[attr-defined]
        seen.append(rows)
        if rows > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
        return forward(*args, **kwargs)

    monkeypatch.setattr(engine.model, "forward", small_machine)
    got = engine.generate(requests)
    assert [[c.token_ids for c in cs] for cs in got] == [[c.token_ids for c in cs] for cs in want]
    assert max(seen) > 3


def test_one_sample_that_does_not_fit_is_said_plainly(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*args: object, **kwargs: object) -> object:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(engine.model, "forward", no_memory)
    with pytest.raises(MemoryError, match="does not fit in memory"):
        engine.generate([ask("7")])


def test_other_errors_are_not_taken_for_a_lack_of_memory(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> object:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(engine.model, "forward", broken)
    with pytest.raises(RuntimeError, match="mat1"):
        engine.generate([ask("7")])


def test_lengths_beyond_the_context(engine: TransformersEngine) -> None:
    with pytest.raises(ValueError, match=r"a prompt of \d+ tokens leaves no room.*256 tokens"):
        engine.generate([ask("Ann has 12 apples. " * 60)])
    long = engine.generate([ask("Ann " * 90, Sampling(1.0, max_new_tokens=10_000), tuple(range(4)))])[0]
    prompt = len(engine.tokens.prompt_ids((Message("user", "Ann " * 90),)))
    assert all(prompt + len(c.token_ids) <= 256 for c in long)
    assert all(prompt + len(c.token_ids) == 256 for c in long if c.finish == "length")


def test_no_requests_no_answers(engine: TransformersEngine) -> None:
    assert engine.generate([]) == []
    assert engine.generate([ask("7", seeds=())]) == [[]]
