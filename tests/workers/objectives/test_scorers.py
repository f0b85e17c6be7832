"""Reward and process reward models: the loss by hand, the direction, TRL's own where both must agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loop.records import Message, RowKind, TrainRow
from tests.workers.tiny import make_adapter
from tests.workers.training import make_run

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]


def question(i: int) -> tuple[Message, ...]:
    return (Message("user", f"What is {i} + 4?"),)


def pairs(n: int = 12, **more: Any) -> list[TrainRow]:
    return [
        TrainRow(
            RowKind.PREFERENCE, f"p{i}", question(i), f"{i} + 4 = {i + 4}", f"no idea{'.' * (i % 3)}", **more
        )
        for i in range(n)
    ]


def labelled(n: int = 12, **more: Any) -> list[TrainRow]:
    """The first step is good, the second wrong, the third nobody judged."""
    rows = []
    for i in range(n):
        good, wrong = f"{i} + 4 = {i + 4}", f"that is {i + 5}!"
        text = f"{good}\n{wrong}\nAnswer: {i + 5}"
        steps = ((len(good), 1.0), (len(good) + 1 + len(wrong), 0.0))
        rows.append(TrainRow(RowKind.STEP_LABELS, f"p{i}", question(i), text, steps=steps, **more))
    return rows


def trainer_of(run_dir: Path) -> Any:
    from loop.finetune.job import TrainJob
    from workers.trainers.progress import Progress
    from workers.trainers.rows import load_rows
    from workers.trainers.train import Run

    job = TrainJob.model_validate_json((run_dir / "job.json").read_bytes())
    run = Run(run_dir, job, load_rows(run_dir / "rows.jsonl"))
    return run._trainer(Progress(run_dir), run.settings.batch_size, run.settings.grad_accum)


def losses(trainer: Any) -> list[float]:
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def says(*logits: Any) -> Any:
    import torch

    return lambda **_: SimpleNamespace(logits=torch.tensor(logits, dtype=torch.float32)[..., None])


@pytest.fixture(scope="module")
def reward_trainer(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    run = tmp_path_factory.mktemp("rm") / "run"
    return trainer_of(make_run(run, llama, pairs(4), objective="reward", margin=0.5, center=0.25))


def test_reward_loss_by_hand(reward_trainer: Any) -> None:
    """Two pairs: r+ = 2, r- = 1 (weight 2, sure) and r+ = 0, r- = 1 (weight 1, three to one).

    d = 1 and -1, margin 0.5. First: -log s(0.5) = 0.474077, centre 0.25 x 9 = 2.25, twice: 5.448154.
    Second: -0.75 log s(-1.5) - 0.25 log s(0.5) = 0.75 x 1.701413 + 0.25 x 0.474077 = 1.394579, centre 0.25.
    Over the update's 4 pairs: (5.448154 + 1.644579) / 4.
    """
    import torch

    inputs = {
        "weight": torch.tensor([2.0, 1.0]),
        "target": torch.tensor([1.0, 0.75]),
        "input_ids": torch.ones(4, 3, dtype=torch.long),
        "attention_mask": torch.ones(4, 3, dtype=torch.long),
    }
    loss = reward_trainer.compute_loss(says(2.0, 0.0, 1.0, 1.0), inputs, num_items_in_batch=torch.tensor([4]))
    assert float(loss) == pytest.approx((5.448154 + 1.644579) / 4, abs=1e-5)


def test_nothing_known_everything_alike(reward_trainer: Any) -> None:
    """The head begins at zero: sigma(0) for both sides, whatever the adapter's random half."""
    import torch

    batch = reward_trainer.data_collator(reward_trainer.train_dataset.to_list())
    loss = reward_trainer.compute_loss(reward_trainer.model, batch).detach()
    assert float(loss) == pytest.approx(float(torch.log1p(torch.tensor(0.5).exp())), abs=1e-6)


def test_padding_is_no_token_that_a_row_ends_with() -> None:
    from workers.trainers.objectives import reward

    parts: Any = SimpleNamespace(
        tokens=SimpleNamespace(pad_id=3), rows=[{"chosen_ids": [9, 3], "rejected_ids": [9, 0]}]
    )
    assert reward._filling(parts) == 1
    parts.tokens.pad_id = 7
    assert reward._filling(parts) == 7


def test_reward_equals_trl(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trl import RewardTrainer

    from workers.trainers.objectives import reward

    run = make_run(
        tmp_path / "run", llama, pairs(), objective="reward", center=0.01, batch_size=2, grad_accum=2
    )
    ours = trainer_of(run)
    ours.train()

    def stock(self: Any, model: Any, inputs: Any, *a: Any, **k: Any) -> Any:
        inputs = {n: v for n, v in inputs.items() if n not in ("weight", "target")}
        self.count(inputs)
        return RewardTrainer.compute_loss(self, model, inputs, *a, **k) / 2  # micro-batches of the update

    monkeypatch.setattr(reward.WeightedReward, "compute_loss", stock)
    trls = trainer_of(run)
    trls.args.center_rewards_coefficient = 0.01
    trls.train()
    assert losses(ours) == pytest.approx(losses(trls), rel=1e-4)
    assert losses(ours)[-1] < losses(ours)[0] / 2


@pytest.fixture(scope="module")
def step_trainer(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return trainer_of(make_run(tmp_path_factory.mktemp("prm") / "run", llama, labelled(4), objective="prm"))


def test_prm_loss_by_hand(step_trainer: Any) -> None:
    """Judged: logit 0 called good, logit 2 called wrong (weight 3), logit -1 called good with chance 0.25.

    log 2 = 0.693147; 3 x log(1 + e^2) = 3 x 2.126928 = 6.380784;
    0.25 x log(1 + e^1) + 0.75 x log(1 + e^-1) = 0.25 x 1.313262 + 0.75 x 0.313262 = 0.563262.
    Over the update's 5 judged steps: 7.637193 / 5. Unjudged places, whatever their logit, count nothing.
    """
    import torch

    inputs = {
        "weight": torch.tensor([1.0, 3.0]),
        "chances": torch.tensor([[-100.0, 1.0, 0.25], [0.0, -100.0, -100.0]]),
        "input_ids": torch.ones(2, 3, dtype=torch.long),
        "attention_mask": torch.ones(2, 3, dtype=torch.long),
    }
    loss = step_trainer.compute_loss(
        says([50.0, 0.0, -1.0], [2.0, 99.0, -99.0]), inputs, num_items_in_batch=torch.tensor([5])
    )
    assert float(loss) == pytest.approx(7.637193 / 5, abs=1e-5)


def test_labels_stand_on_the_token_that_completes_their_step(step_trainer: Any, llama: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(llama)
    row = step_trainer.train_dataset[3]
    at = [i for i, chance in enumerate(row["chances"]) if chance != -100]
    assert [row["chances"][i] for i in at] == [1.0, 0.0]
    before = [tokenizer.decode(row["input_ids"][: i + 1]) for i in at]
    assert before[0].endswith("3 + 4 = 7")
    assert before[1].endswith("that is 8!")


@pytest.mark.parametrize(
    ("change", "says"),
    [({"steps": ((999, 1.0),)}, "do not all lie"), ({"steps": ((3, 1.5),)}, "within 0 and 1")],
)
def test_a_label_that_cannot_be(change: dict[str, Any], says: str, llama: Path, tmp_path: Path) -> None:

    rows = [replace(labelled(1)[0], **change)]
    with pytest.raises(ValueError, match=says):
        trainer_of(make_run(tmp_path / "run", llama, rows, objective="prm"))


def test_rows_without_labels_and_too_long_ones_are_counted(llama: Path, tmp_path: Path) -> None:
    from loop.recipe_parts import FinetunePart
    from workers.trainers.objectives import prm

    good, bare = labelled(1)[0], TrainRow(RowKind.STEP_LABELS, "p", question(1), "x")
    settings = FinetunePart(objective="prm", max_length=16)
    found = prm.encode([good, bare], _tokens(llama), settings)
    assert (found.rows, dict(found.dropped)) == ([], {"too_long": 1, "no_labels": 1})


def _tokens(base: Path) -> Any:
    from transformers import AutoTokenizer

    from workers.engines.tokens import ChatTokens

    return ChatTokens(AutoTokenizer.from_pretrained(base))


def test_an_update_is_the_same_however_it_is_cut(llama: Path, tmp_path: Path) -> None:
    curves = []
    for micro, accum in ((4, 1), (1, 4)):
        run = make_run(
            tmp_path / f"run{micro}",
            llama,
            labelled(8),
            objective="prm",
            epochs=1,
            batch_size=micro,
            grad_accum=accum,
        )
        trainer = trainer_of(run)
        trainer.train()
        curves.append(losses(trainer))
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)


def test_a_scorer_starts_from_a_policy_and_goes_on_from_a_scorer(llama: Path, tmp_path: Path) -> None:
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    policy = make_adapter(llama, tmp_path / "policy")
    run = make_run(tmp_path / "one", llama, labelled(4), objective="prm", job={"start_adapter": str(policy)})
    begun = trainer_of(run)
    own = load_file(policy / "adapter_model.safetensors")
    found = get_peft_model_state_dict(begun.model)
    assert all(torch.equal(found[name], value) for name, value in own.items())
    head = {name for name in found if name not in own}
    assert {name.rsplit("score.")[-1] for name in head} == {"weight", "bias"}
    assert not any(found[name].any() for name in head)
    assert all(p.requires_grad for n, p in begun.model.named_parameters() if "modules_to_save" in n)
    begun.train()
    begun.model.save_pretrained(tmp_path / "scorer", save_embedding_layers=False)
    from loop.finetune.artifacts import write_manifest
    from workers.engines.hashes import base_sha

    write_manifest(tmp_path / "scorer", {"base_sha": base_sha(str(llama))})
    more = make_run(
        tmp_path / "two", llama, labelled(4), objective="prm", job={"start_adapter": str(tmp_path / "scorer")}
    )
    again = get_peft_model_state_dict(trainer_of(more).model)
    stored = load_file(tmp_path / "scorer" / "adapter_model.safetensors")
    assert stored.keys() == again.keys()
    assert all(torch.equal(again[name], value) for name, value in stored.items())
    assert any(stored[name].any() for name in head)


def test_a_preview_marks_where_a_scorer_is_read(llama: Path) -> None:
    from loop.recipe_parts import FinetunePart
    from workers.trainers.preview import trained_spans

    def marked(rows: list[TrainRow], objective: str) -> list[list[tuple[str, str]]]:
        part = FinetunePart.model_validate({"objective": objective})
        shown = trained_spans(rows, part, str(llama), 1)
        assert (shown["refusal"], shown["trained"]) == ("", len(rows))
        return [
            [(text, mark) for text, mark in entry["pieces"] if mark not in ("context", "masked")]
            for entry in shown["rows"]
        ]

    assert marked(pairs(1), "reward") == [[("<|im_end|>", "end")]] * 2
    (read,) = marked(labelled(1), "prm")
    assert [(text[-1], mark) for text, mark in read] == [("4", "good"), ("!", "wrong")]
    (row,) = labelled(1)
    unsure = replace(row, steps=(row.steps[0], (row.steps[1][0], 0.375)))
    (read,) = marked([unsure], "prm")
    assert [(text[-1], mark) for text, mark in read] == [("4", "good"), ("!", "0.38")]
