"""The stages of one iteration and the only moves between them.

The rule is data (`NEXT`), the fact is a database row, and the change is one compare-and-swap
service (`webapp.iterations.services.iteration_advance`). ARCHITECTURE.md draws this table; a test
keeps the drawing true.
"""

from enum import StrEnum


class Stage(StrEnum):
    """Where an iteration stands, in loop order."""

    PREPARE = "prepare"  # choose prompts, pin the champion, measure it on held-out
    GENERATE = "generate"  # sample, critique, refine, verify: the recipe's method over every prompt
    ANNOTATE = "annotate"  # people judge, correct, prefer
    CURATE = "curate"  # derive examples, freeze a dataset version
    FINETUNE = "finetune"  # train a LoRA adapter: the challenger
    EVALUATE = "evaluate"  # challenger and champion on the same held-out prompts
    PROMOTE = "promote"  # the gate decides
    DONE = "done"


class Status(StrEnum):
    """How an iteration is doing within its stage."""

    RUNNING = "running"
    WAITING = "waiting"  # for people
    PAUSED = "paused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DONE = "done"


# The happy path is a straight line: a stage with nothing to do is passed through, never skipped,
# so every iteration's transition log reads alike.
NEXT: dict[Stage, frozenset[Stage]] = {
    Stage.PREPARE: frozenset({Stage.GENERATE}),
    Stage.GENERATE: frozenset({Stage.ANNOTATE}),
    Stage.ANNOTATE: frozenset({Stage.CURATE}),
    Stage.CURATE: frozenset({Stage.FINETUNE, Stage.DONE}),  # DONE: nothing worth training on
    Stage.FINETUNE: frozenset({Stage.EVALUATE}),
    Stage.EVALUATE: frozenset({Stage.PROMOTE}),
    Stage.PROMOTE: frozenset({Stage.DONE}),
    Stage.DONE: frozenset(),
}

# Statuses from which an iteration may still move.
OPEN: frozenset[Status] = frozenset({Status.RUNNING, Status.WAITING})
