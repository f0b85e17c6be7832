"""What a method may ask of a language model, and what an engine must answer.

Two layers. A *method* talks to a `Model`: async, worded, recorded. The runtime gathers the requests
of hundreds of methods and hands an `Engine` one batch: sync, plain, stateless. No torch here; the
engines live in `workers.engines`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from loop.finetune.objectives import Role
from loop.records import Critique, Message, Preference, Response, Sampling, Score

if TYPE_CHECKING:
    from loop.dialects import Dialect


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """``n`` continuations of ``messages`` (+ ``prefix``, the beginning of the assistant's turn).

    ``seeds`` has one seed per continuation; the same seed gives the same text whatever else is in
    the batch (up to floating point).
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    seeds: tuple[int, ...]
    prefix: str = ""
    adapter: str | None = None

    @property
    def n(self) -> int:
        return len(self.seeds)


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model wrote after the prefix; the end token is not part of the text."""

    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    finish: str = "stop"  # "stop" | "length"


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Ask for log p(completion | messages, prefix), token by token."""

    messages: tuple[Message, ...]
    completion: str
    prefix: str = ""
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class ScoredText:
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]

    @property
    def total(self) -> float:
        return sum(self.logprobs)


@dataclass(frozen=True, slots=True)
class RewardRequest:
    """Ask a trained scorer how good ``completion`` is as the assistant's answer to ``messages``.

    ``ends``: ends of steps, in characters of ``completion``; () asks about the whole, its turn closed.
    """

    messages: tuple[Message, ...]
    completion: str
    ends: tuple[int, ...]
    adapter: str


@dataclass(frozen=True, slots=True)
class Scorer:
    """A trained scorer that a method may ask: a reward model, or a process reward model."""

    name: str  # model version name, stored with every score
    adapter: str
    role: Role


# Called while an engine writes, with a function that gives what is written so far: one list of
# ``request.n`` texts per request. It may stop the work by raising.
Watch = Callable[[Callable[[], list[list[str]]]], None]


class Engine(Protocol):
    """A thing that runs a model. Implementations: `workers.engines.*`; `loop.scripted` for tests."""

    name: str

    def generate(
        self, requests: Sequence[GenerateRequest], *, watch: Watch | None = None
    ) -> list[list[Completion]]:
        """One list of ``request.n`` completions per request, in order."""

    def score(self, requests: Sequence[ScoreRequest]) -> list[ScoredText]:
        """One result per request, in order."""

    def reward(self, requests: Sequence[RewardRequest]) -> list[tuple[float, ...]]:
        """Per request one chance (0..1) of being good for each of its ends, or one for the whole."""


class TokenSpans(Protocol):
    """Optional for an engine (``engine.token_spans``): steps then get token offsets."""

    def __call__(
        self, token_ids: Sequence[int], spans: Sequence[tuple[int, int]], text: str, /
    ) -> Sequence[tuple[int, int]]:
        """Token range of each character span of ``text``, which ``token_ids`` decode to."""


class Model(Protocol):
    """The facade a method sees: bound to one prompt's run, one dialect, one model version."""

    dialect: Dialect
    name: str  # model version name, stored on every record
    scorer: Scorer | None  # what `rewards` asks; None where the recipe needs none

    async def sample(
        self, messages: Sequence[Message], *, n: int = 1, sampling: Sampling | None = None, prefix: str = ""
    ) -> list[Completion]: ...

    async def logprobs(
        self, messages: Sequence[Message], completion: str, *, prefix: str = ""
    ) -> ScoredText: ...

    async def rewards(
        self, messages: Sequence[Message], completion: str, *, ends: Sequence[int] = ()
    ) -> tuple[float, ...]:
        """What the scorer says: see `RewardRequest`."""

    async def choose(self, messages: Sequence[Message], options: Sequence[str]) -> list[float]:
        """Probabilities over ``options`` as the assistant's answer; they sum to 1."""

    def new_id(self) -> str:
        """A UUID derived from (run, prompt, call number): the same on every re-run."""

    def seed_for(self, index: int) -> int:
        """The seed that the next `sample` call will use for its ``index``-th continuation."""

    def keep(self, record: Response | Critique | Preference | Score) -> None:
        """Add a record to the prompt's trace. The building blocks call this; methods need not."""
