"""An engine that answers from a script: methods are tested in milliseconds, without a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from loop.model import Completion, GenerateRequest, RewardRequest, ScoredText, ScoreRequest, Watch

Reply = str | Completion
Rule = tuple[Callable[[GenerateRequest], bool], Sequence[Reply]]


class ScriptedEngine:
    """``script`` is a function (request, index of the continuation) -> reply, or a list of
    (predicate, replies) rules: the first rule that matches gives its replies in turn, the last one
    again when they run out. ``score`` is a function giving the total log-probability, ``reward`` one
    giving what a scorer says of a request's text up to an end. Who watches is shown each reply's first
    half, then the whole.

    ``batches``, ``scored`` and ``rewarded`` keep every batch handed over, for assertions.
    """

    name = "scripted"

    def __init__(
        self,
        script: Callable[[GenerateRequest, int], Reply] | Iterable[Rule],
        score: Callable[[ScoreRequest], float] | None = None,
        reward: Callable[[RewardRequest, str], float] | None = None,
    ) -> None:
        self._reply = script if callable(script) else _Rules(script)
        self._score, self._reward = score, reward
        self.batches: list[list[GenerateRequest]] = []
        self.scored: list[list[ScoreRequest]] = []
        self.rewarded: list[list[RewardRequest]] = []

    def generate(
        self, requests: Sequence[GenerateRequest], *, watch: Watch | None = None
    ) -> list[list[Completion]]:
        self.batches.append(list(requests))
        replies = [[_completion(self._reply(r, i)) for i in range(r.n)] for r in requests]
        if watch is not None:
            watch(lambda: [[c.text[: len(c.text) // 2] for c in of_one] for of_one in replies])
            watch(lambda: [[c.text for c in of_one] for of_one in replies])
        return replies

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoredText]:
        self.scored.append(list(requests))
        if self._score is None:
            raise LookupError("the script has no scores; give ScriptedEngine a score function")
        return [ScoredText((0,), (self._score(r),)) for r in requests]

    def reward(self, requests: Sequence[RewardRequest]) -> list[tuple[float, ...]]:
        self.rewarded.append(list(requests))
        if self._reward is None:
            raise LookupError("the script has no rewards; give ScriptedEngine a reward function")
        say = self._reward
        return [tuple(say(r, r.completion[:e]) for e in r.ends or (len(r.completion),)) for r in requests]


class _Rules:
    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = [(predicate, list(replies)) for predicate, replies in rules]

    def __call__(self, request: GenerateRequest, index: int) -> Reply:
        for predicate, replies in self._rules:
            if predicate(request):
                return replies.pop(0) if len(replies) > 1 else replies[0]
        raise LookupError(f"the script has no reply to: {request.messages[-1].content!r}")


def _completion(reply: Reply) -> Completion:
    return (
        reply
        if isinstance(reply, Completion)
        else Completion(reply, token_ids=tuple(range(len(reply.split()))))
    )
