"""The runtime: one batch while all wait, the same records on a re-run, errors kept apart."""

import asyncio
import threading
from dataclasses import replace

import pytest

from loop.dialects.chat import Chat
from loop.model import Completion, Model
from loop.records import Message, Prompt, Response, Sampling, Trace
from loop.runtime import run_method
from loop.sample import from_prefix, many, one
from loop.scripted import ScriptedEngine

ASK = [Message("user", "?")]


def prompts(n: int) -> list[Prompt]:
    return [Prompt(f"p{i}", (Message("user", f"question {i}"),)) for i in range(n)]


def run(improve, engine, n=3, **options) -> list[Trace]:
    defaults = {"dialect": Chat(), "model_name": "m", "run_key": "it-1"}
    return run_method(improve, prompts(n), engine, None, **{**defaults, **options})


def engine_saying(text: str) -> ScriptedEngine:
    return ScriptedEngine(lambda request, index: text)


async def two_calls(prompt: Prompt, model: Model, p: object) -> None:
    await one(model, prompt)
    await many(model, prompt, 2, Sampling(temperature=1.0))


def test_while_all_wait_the_engine_gets_one_batch_in_prompt_order():
    engine = engine_saying("1. a\nAnswer: 1")
    run(two_calls, engine, n=5)
    assert [len(b) for b in engine.batches] == [5, 5]
    assert ["question 3" in r.messages[-1].content for r in engine.batches[1]] == [
        False,
        False,
        False,
        True,
        False,
    ]
    assert [r.n for r in engine.batches[1]] == [2] * 5


def test_prompts_of_different_length_share_batches_and_late_ones_join():
    async def as_many_as_its_number(prompt, model, p):
        for _ in range(int(prompt.id[1:]) + 1):
            await one(model, prompt)

    engine = engine_saying("x")
    run(as_many_as_its_number, engine, n=4, window=2)
    # p0 (1 call) and p1 (2): when p0 ends p2 takes its place in the very next batch, and so on.
    assert [[r.messages[-1].content.split()[1] for r in b] for b in engine.batches] == [
        ["0", "1"],
        ["1", "2"],
        ["2", "3"],
        ["2", "3"],
        ["3"],
        ["3"],
    ]


def test_parallel_calls_within_one_method_are_one_batch():
    async def improve(prompt, model, p):
        await asyncio.gather(*(one(model, prompt) for _ in range(3)))

    engine = engine_saying("x")
    traces = run(improve, engine, n=2)
    assert [len(b) for b in engine.batches] == [6]
    assert len({r.id for t in traces for r in t.responses}) == 6


def test_a_method_that_yields_without_asking_does_not_split_the_batch():
    async def improve(prompt, model, p):
        for _ in range(int(prompt.id[1:]) * 7):
            await asyncio.sleep(0)
        await one(model, prompt)

    engine = engine_saying("x")
    run(improve, engine, n=6)
    assert [len(b) for b in engine.batches] == [6]


def test_a_rerun_gives_the_same_records_and_another_key_does_not():
    async def improve(prompt, model, p):
        await asyncio.gather(*(many(model, prompt, 2, Sampling(temperature=1.0)) for _ in range(2)))

    def seeded(request, index):
        return f"1. {request.seeds[index]}"

    first = run(improve, ScriptedEngine(seeded))
    assert first == run(improve, ScriptedEngine(seeded))
    assert first == run(improve, ScriptedEngine(seeded), window=1)
    other = run(improve, ScriptedEngine(seeded), run_key="it-2")
    assert {r.id for t in first for r in t.responses}.isdisjoint(r.id for t in other for r in t.responses)
    seeds = [r.seed for t in first for r in t.responses]
    assert len(set(seeds)) == len(seeds) == 12
    assert all(0 <= s < 2**31 for s in seeds)
    assert first != run(improve, ScriptedEngine(seeded), seed=1)


def test_a_method_that_raises_keeps_its_records_and_does_not_disturb_others():
    async def improve(prompt, model, p):
        await one(model, prompt)
        if prompt.id == "p1":
            raise ValueError("no idea")
        await one(model, prompt)

    traces = run(improve, engine_saying("x"))
    assert [t.error for t in traces] == ["", "ValueError: no idea", ""]
    assert [len(t.responses) for t in traces] == [2, 1, 2]
    assert [t.calls for t in traces] == [2, 1, 2]


def test_an_engine_failure_reaches_the_caller_and_leaves_no_task_behind():
    unwound = []

    async def improve(prompt, model, p):
        try:
            await one(model, prompt)
        finally:
            unwound.append(prompt.id)

    def fail(request, index):
        raise MemoryError("out of memory")

    with pytest.raises(MemoryError):
        run(improve, ScriptedEngine(fail))
    assert sorted(unwound) == ["p0", "p1", "p2"]


def test_traces_are_handed_over_as_prompts_finish_outside_the_event_loop():
    seen = []

    def store(trace: Trace) -> None:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        seen.append(trace.prompt_id)

    async def improve(prompt, model, p):
        for _ in range(3 - int(prompt.id[1:])):
            await one(model, prompt)

    traces = run(improve, engine_saying("x"), on_trace=store)
    assert seen == ["p2", "p1", "p0"]
    assert [t.prompt_id for t in traces] == ["p0", "p1", "p2"]


def test_a_failing_store_stops_the_run():
    def store(trace: Trace) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run(two_calls, engine_saying("x"), on_trace=store)


def test_waiting_for_something_outside_is_waited_for():
    async def improve(prompt, model, p):
        await asyncio.get_running_loop().run_in_executor(None, threading.Event().is_set)
        await one(model, prompt)

    assert [len(t.responses) for t in run(improve, engine_saying("x"))] == [1, 1, 1]


def test_tokens_and_calls_are_counted():
    trace = run(two_calls, engine_saying("one two three"), n=1)[0]
    assert (trace.calls, trace.tokens) == (2, 9)


def test_choose_is_a_softmax_over_the_options():
    found = []

    async def improve(prompt, model, p):
        found.append(await model.choose(ASK, ["yes", "no"]))

    engine = ScriptedEngine(
        lambda r, i: "x", score=lambda r: {"yes": 0.0, "no": -1.0986122886681098}[r.completion]
    )
    run(improve, engine, n=1)
    assert found[0] == pytest.approx([0.75, 0.25])
    assert [len(b) for b in engine.scored] == [2]


class SpellingEngine(ScriptedEngine):
    """Every character is a token."""

    def token_spans(self, token_ids, spans, text):
        assert len(token_ids) == len(text)
        return spans


def test_steps_get_token_offsets_where_the_engine_knows_them():
    text = "1. ab\n2. c"
    engine = SpellingEngine(lambda r, i: Completion(text, token_ids=tuple(range(len(text)))))

    async def improve(prompt, model, p):
        draft = await one(model, prompt)
        await from_prefix(model, prompt, draft, "1. ab\n", 1)

    trace = run(improve, engine, n=1)[0]
    assert [(s.token_start, s.token_end) for s in trace.responses[0].steps] == [(0, 5), (6, 10)]
    after = trace.responses[1]  # "1. ab\n" was given, the tokens are of what follows
    assert after.text == "1. ab\n" + text
    assert [(s.token_start, s.token_end) for s in after.steps] == [(None, None), (0, 5), (6, 10)]


def test_prompts_that_share_an_id_are_refused():
    twin = replace(prompts(1)[0], meta={"a": 1})
    with pytest.raises(ValueError, match="share an id"):
        run_method(
            two_calls,
            [*prompts(1), twin],
            engine_saying("x"),
            None,
            dialect=Chat(),
            model_name="m",
            run_key="k",
        )


def test_records_of_the_facade_carry_model_dialect_and_adapter():
    engine = engine_saying("1. a\nAnswer: 7")
    trace = run(two_calls, engine, n=1, adapter="ad-3")[0]
    response: Response = trace.responses[0]
    assert (response.model, response.dialect, response.answer) == ("m", "chat-1", "7")
    assert {r.adapter for b in engine.batches for r in b} == {"ad-3"}


def test_a_nul_byte_becomes_the_mark_for_what_cannot_be_shown():
    async def once(prompt, model, p):
        await one(model, prompt)

    (trace,) = run(once, engine_saying("1. a\0b\nAnswer: 1"), n=1)
    assert trace.responses[0].text == "1. a\ufffdb\nAnswer: 1"
    assert not trace.error
