"""Between two decoding steps an engine may answer somebody else; what it was writing does not change."""

from __future__ import annotations

from pathlib import Path

import pytest

from loop.model import GenerateRequest, ScoreRequest
from loop.records import Message, Sampling
from tests.workers.tiny import make_adapter
from workers.engines.transformers_engine import TransformersEngine

pytestmark = pytest.mark.xdist_group("torch")

WARM = Sampling(temperature=1.0, max_new_tokens=24)


def ask(question: str, *seeds: int, prefix: str = "", adapter: str | None = None) -> GenerateRequest:
    return GenerateRequest((Message("user", question),), WARM, seeds, prefix, adapter)


BATCH = [
    ask("What is 3 + 4?", *range(9)),
    ask("Ann has 12 apples, Bob 30. How many do they have?", *range(20, 24)),
    ask("7", 5, adapter="one"),
]
ASIDE = [ask("7", 1, 2, prefix="3 + ", adapter=name) for name in (None, "one", "two")]


@pytest.fixture
def adapters(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return {name: make_adapter(llama, folder / name, seed) for name, seed in (("one", 1), ("two", 2))}


@pytest.mark.parametrize("loaded", ["before", "within"])
def test_neither_side_notices_the_other(llama: Path, adapters: dict[str, Path], loaded: str) -> None:
    reference = TransformersEngine(str(llama), adapters, device="cpu")
    reference.max_rows = 6  # rows come and go
    batch, aside = reference.generate(BATCH), [reference.generate([r])[0] for r in ASIDE]
    assert len({tuple(c.token_ids for c in cs) for cs in aside}) == 3  # the adapters do something

    engine = TransformersEngine(str(llama), adapters if loaded == "before" else None, device="cpu")
    engine.max_rows = 6
    if loaded == "within":
        engine.load_adapter("one", adapters["one"])
    answered = []
    inside, steps = False, 0

    def between() -> None:
        nonlocal inside, steps
        steps += 1
        if inside or steps % 5:
            return
        inside = True
        for name, path in adapters.items():  # the first time this changes the model under the batch
            engine.load_adapter(name, path)
        answered.append([engine.generate([r])[0] for r in ASIDE])
        inside = False

    engine.between = between
    assert engine.generate(BATCH) == batch
    assert len(answered) > 5
    assert all(texts == aside for texts in answered)


def test_the_first_adapter_ever_may_come_in_the_middle_of_a_batch_on_the_bare_base(
    llama: Path, adapters: dict[str, Path]
) -> None:
    bare = BATCH[:2]
    engine = TransformersEngine(str(llama), device="cpu")
    want = engine.generate(bare)
    calls = 0

    def between() -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            engine.load_adapter("one", adapters["one"])

    engine.between = between
    assert engine.generate(bare) == want


def test_scores_are_the_same_with_something_else_in_between(llama: Path, adapters: dict[str, Path]) -> None:
    engine = TransformersEngine(str(llama), adapters, device="cpu")
    asked = [ScoreRequest((Message("user", "7"),), "3 + 4 = 7", adapter=n) for n in ("one", None, "two")]
    want = engine.score(asked)
    engine.between = lambda: _quietly(engine)
    assert engine.score(asked) == want


def _quietly(engine: TransformersEngine) -> None:
    between, engine.between = engine.between, lambda: None
    engine.generate(ASIDE)
    engine.between = between


def test_who_watches_sees_the_texts_grow_and_may_stop_them(llama: Path) -> None:
    engine = TransformersEngine(str(llama), device="cpu")
    request = ask("What is 3 + 4?", 1, 2, 3)
    seen: list[list[str]] = []
    (whole,) = engine.generate([request], watch=lambda so_far: seen.append(so_far()[0]))
    assert seen[-1] == [c.text for c in whole]
    assert any(0 < len(early[0]) < len(whole[0].text) for early in seen)
    assert [len(t) for t in seen[0]] <= [len(c.text) for c in whole]

    def stop(_: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        engine.generate([request], watch=stop)
    assert engine.generate([request]) == [whole]  # nothing is left behind
