"""Runs one method over many prompts at once and hands the engine one batch when all of them wait.

Each prompt's run is an asyncio task. The event loop's selector is asked to wait exactly when no task
can go on; that moment, not a timer, closes the batch. The loop is stopped while the engine works and
while `on_trace` stores results, so both may block and may use code that refuses a running loop.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import selectors
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID, uuid5

from loop.dialects import Dialect
from loop.model import (
    Completion,
    Engine,
    GenerateRequest,
    Model,
    RewardRequest,
    ScoredText,
    Scorer,
    ScoreRequest,
    TokenSpans,
)
from loop.records import Critique, Message, Preference, Prompt, Response, Sampling, Score, Trace

Improve = Callable[[Prompt, Model, Any], Awaitable[object]]
Request = GenerateRequest | ScoreRequest | RewardRequest
_NAMESPACE = UUID("6f0d6f3e-4b6b-5c0e-9a59-6d1c4f6f7a11")  # fixed for ever: record ids derive from it


def run_method(
    improve: Improve,
    prompts: Sequence[Prompt],
    engine: Engine,
    settings: Any,
    *,
    dialect: Dialect,
    model_name: str,
    adapter: str | None = None,
    scorer: Scorer | None = None,
    run_key: str,
    seed: int = 0,
    window: int = 256,
    on_trace: Callable[[Trace], None] | None = None,
) -> list[Trace]:
    """Run ``improve(prompt, model, settings)`` for every prompt; traces come back in prompt order.

    ``scorer`` is what the method may ask by `Model.rewards`.
    At most ``window`` prompts are under way at once. ``on_trace`` is called as each one finishes.
    Seeds and record ids derive from (run_key, seed, prompt id, call number), so a re-run gives the
    same records on the same engine. A method that raises gives a trace with ``error`` set and the
    records it had kept; the others go on.

    Raises:
        ValueError: two prompts share an id, or window < 1.
        Exception: whatever the engine or ``on_trace`` raised; the unfinished runs are cancelled.
    """
    if len({p.id for p in prompts}) != len(prompts):
        raise ValueError("two prompts share an id; their records would overwrite each other")
    if window < 1:
        raise ValueError(f"window must be at least 1, not {window}")
    runs = [
        _Run(i, p, engine, dialect, model_name, adapter, scorer, f"{run_key}/{seed}")
        for i, p in enumerate(prompts)
    ]
    driver = _Driver(engine)
    try:
        return driver.drive(improve, runs, settings, window, on_trace)
    finally:
        driver.close()


@dataclass(slots=True)
class _Pending:
    """One request of one prompt's run, and the future its method waits on."""

    order: tuple[int, int]  # (prompt position, call number): the batch order
    request: Request
    future: asyncio.Future[Any]


class _IdleSelector(selectors.DefaultSelector):
    """Calls ``on_idle`` when the event loop would have to wait: nothing is left to run."""

    on_idle: Callable[[], bool] = staticmethod(lambda: False)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if (timeout is None or timeout > 0) and self.on_idle():
            timeout = 0
        return super().select(timeout)


class _Driver:
    """Owns the event loop; alternates between running every task as far as it goes and the engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.pending: list[_Pending] = []
        self.finished: list[_Run] = []
        selector = _IdleSelector()
        selector.on_idle = self._idle
        self.loop = asyncio.SelectorEventLoop(selector)

    def _idle(self) -> bool:
        # With neither a request nor a finished run, a method waits for something outside (a thread, a
        # subprocess): then the loop has to wait with it.
        stop = bool(self.pending or self.finished)
        if stop:
            self.loop.stop()
        return stop

    def drive(
        self,
        improve: Improve,
        runs: Sequence[_Run],
        settings: Any,
        window: int,
        on_trace: Callable[[Trace], None] | None,
    ) -> list[Trace]:
        traces: dict[int, Trace] = {}
        waiting = iter(runs)
        active: dict[int, asyncio.Task[None]] = {}
        while len(traces) < len(runs):
            while len(active) < window and (run := next(waiting, None)) is not None:
                run.submit = self._submit
                active[run.index] = self.loop.create_task(self._one(improve, run, settings))
            self.loop.run_forever()  # until idle
            finished, self.finished = sorted(self.finished, key=lambda r: r.index), []
            for run in finished:
                active.pop(run.index).result()  # re-raises what is not the method's own failure
                traces[run.index] = run.trace()
                if on_trace is not None:
                    on_trace(traces[run.index])
            if not finished:  # else first let the next prompts join the batch
                self._dispatch()
        return [traces[i] for i in range(len(runs))]

    async def _one(self, improve: Improve, run: _Run, settings: Any) -> None:
        try:
            await improve(run.prompt, run, settings)
        except (Exception, asyncio.CancelledError) as error:
            run.error = f"{type(error).__name__}: {error}"
        self.finished.append(run)

    def _submit(self, order: tuple[int, int], request: Request) -> asyncio.Future[Any]:
        future = self.loop.create_future()
        self.pending.append(_Pending(order, request, future))
        return future

    def _dispatch(self) -> None:
        """Hand everything that waits to the engine: one batch of each kind, in prompt order."""
        batch, self.pending = sorted(self.pending, key=lambda p: p.order), []
        waiting = [p for p in batch if not p.future.done()]  # a method may have cancelled its request
        writing = [(p.future, p.request) for p in waiting if isinstance(p.request, GenerateRequest)]
        scoring = [(p.future, p.request) for p in waiting if isinstance(p.request, ScoreRequest)]
        judging = [(p.future, p.request) for p in waiting if isinstance(p.request, RewardRequest)]
        if writing:
            self._resolve([f for f, _ in writing], self.engine.generate([r for _, r in writing]))
        if scoring:
            self._resolve([f for f, _ in scoring], self.engine.score([r for _, r in scoring]))
        if judging:
            self._resolve([f for f, _ in judging], self.engine.reward([r for _, r in judging]))

    def _resolve(self, futures: Sequence[asyncio.Future[Any]], answers: Sequence[object]) -> None:
        if len(answers) != len(futures):
            raise RuntimeError(
                f"engine {self.engine.name} answered {len(answers)} of {len(futures)} requests"
            )
        for future, answer in zip(futures, answers, strict=True):
            future.set_result(answer)

    def close(self) -> None:
        """Cancel what is still under way (after a failure) and let it unwind."""
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


class _Run:
    """The recording `loop.model.Model` of one prompt: a method cannot forget to log."""

    submit: Callable[[tuple[int, int], Request], asyncio.Future[Any]]

    def __init__(
        self,
        index: int,
        prompt: Prompt,
        engine: Engine,
        dialect: Dialect,
        name: str,
        adapter: str | None,
        scorer: Scorer | None,
        key: str,
    ) -> None:
        self.index = index
        self.prompt = prompt
        self.dialect = dialect
        self.name = name
        self.error = ""
        self.scorer = scorer
        self._adapter = adapter
        self._key = f"{key}/{prompt.id}"
        self._spans: TokenSpans | None = getattr(engine, "token_spans", None)
        self._calls = 0
        self._ids = 0
        self._tokens = 0
        self._written: dict[tuple[int, ...], str] = {}  # token ids -> the text they are
        self._kept: list[Response | Critique | Preference | Score] = []

    async def sample(
        self, messages: Sequence[Message], *, n: int = 1, sampling: Sampling | None = None, prefix: str = ""
    ) -> list[Completion]:
        seeds = tuple(self.seed_for(i) for i in range(n))
        request = GenerateRequest(tuple(messages), sampling or Sampling(), seeds, prefix, self._adapter)
        completions: list[Completion] = await self._ask(request)
        if len(completions) != n:
            raise RuntimeError(f"asked for {n} continuations, the engine gave {len(completions)}")
        self._tokens += sum(len(c.token_ids) for c in completions)
        self._written |= {c.token_ids: c.text for c in completions}
        # A model with byte tokens can write NUL, which no database text may hold: one such sample must not
        # fail the work of a hundred prompts. The mark for what cannot be shown is as long, so spans hold.
        return [replace(c, text=c.text.replace("\0", "\ufffd")) for c in completions]

    async def logprobs(self, messages: Sequence[Message], completion: str, *, prefix: str = "") -> ScoredText:
        scored: ScoredText = await self._ask(ScoreRequest(tuple(messages), completion, prefix, self._adapter))
        return scored

    async def rewards(
        self, messages: Sequence[Message], completion: str, *, ends: Sequence[int] = ()
    ) -> tuple[float, ...]:
        """See `RewardRequest`.

        Raises:
            LookupError: this run was given no scorer.
        """
        if self.scorer is None:
            raise LookupError("no scorer is in use; the recipe must name reward or process_reward in needs")
        chances: tuple[float, ...] = await self._ask(
            RewardRequest(tuple(messages), completion, tuple(ends), self.scorer.adapter)
        )
        if len(chances) != (len(ends) or 1):
            raise RuntimeError(f"asked for {len(ends) or 1} rewards, the engine gave {len(chances)}")
        return chances

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        """Softmax of the options' log-probabilities as the assistant's whole answer.

        Raises:
            ValueError: no options.
        """
        if not options:
            raise ValueError("nothing to choose from")
        scored = await asyncio.gather(*(self.logprobs(messages, option) for option in options))
        best = max(s.total for s in scored)
        weights = [math.exp(s.total - best) for s in scored]
        return [w / sum(weights) for w in weights]

    def new_id(self) -> str:
        self._ids += 1
        return str(uuid5(_NAMESPACE, f"{self._key}/{self._ids}"))

    def seed_for(self, index: int) -> int:
        digest = hashlib.blake2b(f"{self._key}/{self._calls}/{index}".encode(), digest_size=4).digest()
        return int.from_bytes(digest) >> 1  # 31 bits: every engine takes that

    def keep(self, record: Response | Critique | Preference | Score) -> None:
        if isinstance(record, Response) and self._spans is not None and record.token_ids in self._written:
            record = _with_token_offsets(record, self._written[record.token_ids], self._spans)
        self._kept.append(record)

    def _ask(self, request: Request) -> asyncio.Future[Any]:
        order = (self.index, self._calls)
        self._calls += 1
        return self.submit(order, request)

    def trace(self) -> Trace:
        return Trace(
            prompt_id=self.prompt.id,
            responses=_of(Response, self._kept),
            critiques=_of(Critique, self._kept),
            preferences=_of(Preference, self._kept),
            scores=_of(Score, self._kept),
            calls=self._calls,
            tokens=self._tokens,
            error=self.error,
        )


T = TypeVar("T")


def _of(kind: type[T], kept: Iterable[object]) -> tuple[T, ...]:
    return tuple(r for r in kept if isinstance(r, kind))


def _with_token_offsets(response: Response, written: str, token_spans: TokenSpans) -> Response:
    """Give each step the range of tokens that touch it; a step that begins in a given prefix has none.

    ``written`` is what the model wrote, the end of the response's text; what precedes it was given.
    """
    given = len(response.text) - len(written)
    own = [s for s in response.steps if s.start >= given]
    spans = token_spans(response.token_ids, [(s.start - given, s.end - given) for s in own], written)
    found = {s.index: span for s, span in zip(own, spans, strict=True)}
    return replace(
        response,
        steps=tuple(
            replace(s, token_start=found[s.index][0], token_end=found[s.index][1]) if s.index in found else s
            for s in response.steps
        ),
    )
