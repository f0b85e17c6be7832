"""GRPO: rewards by hand, the project's own ids and checkers, direction, resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loop.records import Message, RowKind, TrainRow
from tests.workers.objectives.test_scorers import trainer_of
from tests.workers.training import make_run

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]
SMALL: dict[str, Any] = {"objective": "grpo", "batch_size": 8, "group": 4, "max_new_tokens": 6, "epochs": 2}


def prompts(n: int = 8, **more: Any) -> list[TrainRow]:
    values = {"reference": "7", "verifier": "math_answer", "dialect": "terse-1"} | more
    return [
        TrainRow(RowKind.PROMPT, f"p{i}", (Message("user", f"What is {i}?"),), "", **values) for i in range(n)
    ]


def test_rewards_by_hand() -> None:
    """Right 1, wrong 0; what could not be checked gets its group's mean, so its advantage is nought."""
    from workers.trainers.objectives.grpo import rewards_of

    found = rewards_of(list("aaaabbc"), [True, False, True, None, None, None, None])
    assert found == [1.0, 0.0, 1.0, pytest.approx(2 / 3), 0.0, 0.0, 0.0]


def test_a_task_is_judged_by_its_own_checker() -> None:
    from workers.trainers.objectives.grpo import Task

    row = {"prompt_id": "p", "messages": [["user", "q"]], "reference": "7", "meta": "", "dialect": "terse-1"}
    task = Task({**row, "verifier": "math_answer"})
    said = [task.outcome(text) for text in ("Answer: 7", "Answer: 8", "seven, I think")]
    assert said == [True, False, False]
    assert (
        Task({**row, "verifier": "arithmetic"}).outcome("Answer: 7") is None
    )  # its meta is missing: an error


def test_it_trains_on_our_ids_and_pushes_towards_what_is_right(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.trainers.objectives import grpo

    # A random model knows no arithmetic: a text is right when its first character is an even one.
    monkeypatch.setattr(grpo.Task, "outcome", lambda self, text: bool(text) and ord(text[0]) % 2 == 0)
    more = {"epochs": 6, "max_new_tokens": 2, "learning_rate": 0.03}
    trainer = trainer_of(make_run(tmp_path / "run", llama, prompts(), **SMALL | more))
    seen: list[list[int]] = []
    generate = trainer._generate_single_turn

    def watched(prompt_ids: list[list[int]], *args: Any) -> Any:
        seen.extend(prompt_ids)
        return generate(prompt_ids, *args)

    trainer._generate_single_turn = watched
    trainer.train()
    rows = prompts()
    assert {tuple(ids) for ids in seen} == {tuple(trainer.tokens.prompt_ids(r.messages)) for r in rows}
    rewards = [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]
    assert sum(rewards[-6:]) / 6 > sum(rewards[:6]) / 6 + 0.2
    assert trainer.tokens_seen > 0


def test_a_resumed_run_equals_an_uninterrupted_one(llama: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    from loop.finetune.job import TrainJob
    from workers.trainers.rows import load_rows
    from workers.trainers.train import Run

    def result(name: str, stop_at: int) -> dict[str, torch.Tensor]:
        folder = make_run(tmp_path / name / "run", llama, prompts(8), job={"save_every_steps": 2}, **SMALL)
        job = TrainJob.model_validate_json((folder / "job.json").read_bytes())
        for steps in [stop_at, 0] if stop_at else [0]:
            run = Run(folder, job, load_rows(folder / "rows.jsonl"))
            make = run._trainer

            def cut(*args: Any, steps: int = steps, make: Any = make) -> Any:
                trainer = make(*args)
                if steps:
                    step = trainer.training_step

                    def training_step(*a: Any) -> Any:
                        if trainer.state.global_step == steps:
                            raise KeyboardInterrupt
                        return step(*a)

                    trainer.training_step = training_step
                return trainer

            run._trainer = cut
            try:
                adapter = run.train()
            except KeyboardInterrupt:
                continue
        return load_file(adapter / "adapter_model.safetensors")

    whole, resumed = result("whole", 0), result("resumed", 3)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.parametrize(
    ("rows", "change", "says"),
    [
        (prompts(), {"group": 3}, "does not hold whole groups of 3"),
        (prompts(verifier=""), {}, "names no checker"),
        (prompts(), {"max_length": 16}, "8 too_long"),
    ],
)
def test_what_cannot_be_trained(
    rows: list[TrainRow], change: dict[str, Any], says: str, llama: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=says):
        trainer_of(make_run(tmp_path / "run", llama, rows, **SMALL | change))


def test_the_arithmetic_checker_finds_its_program_in_the_row() -> None:
    from loop.curate import Material, prompt_rows
    from loop.dialects.terse import Terse
    from loop.domains.arithmetic.check import solve_from
    from loop.domains.arithmetic.generate import project_prompts
    from loop.records import Split
    from workers.trainers.objectives.grpo import Task

    prompt = next(p for p in project_prompts(train=2, heldout=1, probe=1, seed=5) if p.split is Split.TRAIN)
    (candidate,) = prompt_rows([Material(prompt)], dialect=Terse())
    row = candidate.row
    assert row is not None
    data = {k: getattr(row, k) for k in ("prompt_id", "reference", "verifier", "meta", "dialect")}
    task = Task(json.loads(json.dumps(data | {"messages": [[m.role, m.content] for m in row.messages]})))
    steps = solve_from(prompt)
    assert task.outcome("\n".join(steps)) is True
    assert task.outcome("Answer: -1") is False
