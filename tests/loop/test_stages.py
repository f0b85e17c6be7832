"""The transition table, and that the folders of `loop` are the stages of the loop."""

from pathlib import Path

import loop
from loop.stages import NEXT, OPEN, Stage, Status

FOLDER = Path(loop.__file__).parent
BLOCKS = {
    "prompts",
    "sample",
    "critique",
    "refine",
    "verify",
    "annotate",
    "curate",
    "finetune",
    "evaluate",
    "promote",
}


def test_every_stage_of_work_has_its_folder():
    folders = {p.name for p in FOLDER.iterdir() if (p / "__init__.py").is_file()}
    assert folders >= BLOCKS
    # PREPARE and GENERATE are made of the blocks before ANNOTATE; DONE does nothing.
    assert {s.value for s in Stage} - {"prepare", "generate", "done"} <= folders


def test_the_loop_runs_forward_from_prepare_to_done():
    assert list(NEXT) == list(Stage)
    order = list(Stage)
    for stage, following in NEXT.items():
        assert all(order.index(f) > order.index(stage) for f in following)
        assert (
            (order[order.index(stage) + 1] in following) == (stage is not Stage.DONE) if following else True
        )
    assert NEXT[Stage.DONE] == frozenset()
    assert Stage.DONE in NEXT[Stage.CURATE]  # nothing worth training on


def test_only_running_and_waiting_move():
    assert set(Status) - OPEN == {Status.PAUSED, Status.FAILED, Status.CANCELLED, Status.DONE}
