"""Where an iteration comes from: its recipe, people's work, data, models and seeds, as parts of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Count, Q

from loop.recipe_parts import FinetunePart, heeded_by
from webapp.annotate.models import Annotation
from webapp.iterations.models import Iteration
from webapp.metrics.report.document import Block, Table, Text
from webapp.metrics.templatetags.numbers import duration, whole
from webapp.registry.facts import base_name
from webapp.registry.models import ModelVersion

PARTS = ("settings", "prompts", "annotate", "curate", "finetune", "evaluate", "gate")


def recipe(iteration: Iteration) -> list[Block]:
    """The recipe as it was, part by part."""
    plan = iteration.recipe
    rows = [("recipe", f"{iteration.recipe_name} v{plan.get('version', '?')}")]
    rows += [
        (name.replace("_", " "), _value(plan[name]))
        for name in ("title", "paper", "method", "feedback_source", "needs", "uses_gold_at")
        if plan.get(name)
    ]
    rows += [(part, text) for part in PARTS if (text := _settings(part, plan.get(part) or {}))]
    return [Table(("Setting", "Value"), rows)]


def _settings(part: str, plan: Mapping[str, Any]) -> str:
    """What is set, without what means nothing to the objective."""
    idle: set[str] = set()
    if part == "finetune" and plan.get("objective"):
        idle = FinetunePart.model_fields.keys() - set(heeded_by(str(plan["objective"])))
    shown = {name: _value(value) for name, value in plan.items() if name not in idle}
    return "; ".join(f"{name}: {text}" for name, text in shown.items() if text != "none")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_value(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value)) or "none"
    return (
        "none" if value is None or value == "" else f"{value:g}" if isinstance(value, float) else str(value)
    )


def people(iteration: Iteration) -> list[Block]:
    """Who answered how much. Names stay in the house."""
    simulated = Q(user__is_simulated=True)
    found = Annotation.objects.filter(task__iteration=iteration, outcome="answered").aggregate(
        answers=Count("id"),
        people=Count("user", distinct=True, filter=~simulated),
        programs=Count("id", filter=simulated),
    )
    if not found["answers"]:
        return [Text("Nobody was asked.")] if not iteration.tasks.exists() else [Text("Nobody has answered.")]
    programs = found["programs"]
    text = f"{whole(found['answers'])} answers by {whole(found['people'])} people"
    if programs:
        text += f" and by programs that stand in for people, who gave {whole(programs)} of them"
    return [Text(f"{text}.")]


def lineage(iteration: Iteration) -> list[Block]:
    """Data, models, seeds and versions, with their hashes."""
    rows = [row for row in _hashes(iteration) if any(row[1:])]
    return [Table(("What", "Which", "sha256"), rows, codes=(2,))]


def _hashes(iteration: Iteration) -> Iterator[tuple[str, str, str]]:
    if (data := iteration.dataset_version) is not None:
        yield "Dataset", f"version {data.number}, {whole(data.row_count)} rows", data.sha256
    for what, version in (("Champion", iteration.champion), ("Challenger", iteration.challenger)):
        if version is not None:
            yield what, version.name, version.adapter_sha or "no adapter"
    if (model := iteration.challenger or iteration.champion) is not None:
        yield "Base", base_name(model.base), model.base_sha
        yield "Tokenizer", "", model.tokenizer_sha
        yield from _versions(model)
    yield "Seed", str(iteration.seed), ""
    if iteration.control_of is not None:
        yield "Control of", str(iteration.control_of), ""


def _versions(model: ModelVersion) -> Iterator[tuple[str, str, str]]:
    if versions := model.training.get("versions"):
        yield "Trained with", ", ".join(f"{name} {v}" for name, v in versions.items()), ""
    if seed := model.training.get("seed"):
        yield "Training seed", str(seed), ""


def moves(iteration: Iteration) -> list[Block]:
    """Every stage that was left, how long it took, and why it was left."""
    since, rows = iteration.created_at, []
    for move in iteration.transitions.all():
        rows.append((move.from_stage, duration((move.at - since).total_seconds()), move.because))
        since = move.at
    return [Table(("Stage", "Time", "Left because"), rows)] if rows else []
