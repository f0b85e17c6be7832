"""What a model card is made of, gathered from the registry in a fixed number of queries."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from django.db.models import Count, Q

from webapp.annotate.models import Annotation
from webapp.registry.models import Evaluation, ModelVersion
from webapp.registry.selectors import IMPORTED, measurement_of

WORDS = {
    "challenger": "waiting for the gate's decision",
    "champion": "in use",
    "held": "held by the gate",
    "retired": "in use once, retired since",
    "control": "a control arm",
    "registered": "registered",
}


def base_name(base: str) -> str:
    """What may be published of where a base lies: a hub id as it is, of a folder or server its name alone."""
    if base.startswith("openai+"):
        return base.partition("#")[2] or "a served model"
    return PurePath(base).name if base.startswith(("/", ".", "~")) else base


def card_facts(version: ModelVersion) -> dict[str, Any]:
    """The facts `card.card` renders. ``version`` comes with project, iteration and dataset version."""
    iteration, project = version.iteration, version.project
    measured = _measured(version)
    mine = [m for m in measured if m["model_id"] == version.pk]
    sets = {(m["split"], m["prompts_sha"]) for m in mine}
    decision = iteration.decision if iteration and iteration.challenger_id == version.pk else {}
    return {
        "name": version.name,
        "number": version.number,
        "project": project.name,
        "role": version.role,
        "status_words": WORDS.get(version.status, ""),
        "control": version.status == ModelVersion.Status.CONTROL,
        "imported": version.recipe == IMPORTED,
        "base": base_name(version.base),
        "adapter": bool(version.adapter_path),
        "note": version.note,
        "recipe": "" if version.recipe == IMPORTED else version.recipe,
        "training": {k: v for k, v in version.training.items() if k != "canary"},
        "lineage": lineage_of(version),
        "dataset": _dataset(version),
        "measurements": mine,
        "compared": [m for m in measured if m["model_id"] != version.pk and _set(m) in sets],
        "decision": decision,
        "promotions": _promotions(version),
        "domains": _domains(version),
        **{k: getattr(version, k) for k in ("base_sha", "tokenizer_sha", "template_sha", "adapter_sha")},
    }


def lineage_of(version: ModelVersion) -> list[dict[str, str]]:
    """From the base down to this version, what each was trained from."""
    parents = {
        pk: (parent, name, recipe, status)
        for pk, parent, name, recipe, status in ModelVersion.objects.filter(
            project=version.project_id, number__lte=version.number
        ).values_list("pk", "parent_id", "name", "recipe", "status")
    }
    line: list[dict[str, str]] = []
    at: int | None = version.pk
    while at in parents:  # a parent is always older: the walk ends
        parent, name, recipe, status = parents.pop(at)
        line.append({"name": name, "recipe": recipe, "status": WORDS.get(status, status)})
        at = parent
    return line[::-1]


def _set(measured: dict[str, Any]) -> tuple[str, str]:
    return measured["split"], measured["prompts_sha"]


def _measured(version: ModelVersion) -> list[dict[str, Any]]:
    """The latest evaluation of each split, of this version and of those it is compared with.

    Compared with: the base, the champion it was trained against, the champion now.
    """
    iteration = version.iteration
    others = Q(model_version__number=1) | Q(model_version=version.project.champion_id)
    if iteration is not None and iteration.champion_id:
        others |= Q(model_version=iteration.champion_id)
    rows = (
        Evaluation.objects.bare()  # a baseline without training is told with the decision
        .filter(model_version__project=version.project_id, done=True, n__gt=0)
        .filter(Q(model_version=version) | others)
        .select_related("model_version")
        .order_by("id")
    )
    latest: dict[tuple[int, str, str], Evaluation] = {}
    newest_of_mine: dict[str, Evaluation] = {}
    for row in rows:
        latest[(row.model_version_id, row.split, row.prompts_sha)] = row
        if row.model_version_id == version.pk:
            newest_of_mine[row.split] = row
    kept = [
        *newest_of_mine.values(),
        *(
            row
            for (model, split, sha), row in latest.items()
            if model != version.pk and split in newest_of_mine and newest_of_mine[split].prompts_sha == sha
        ),
    ]
    return [_measurement(row) for row in kept]


def _measurement(row: Evaluation) -> dict[str, Any]:
    found = measurement_of(row)
    return {
        "model": row.model_version.name,
        "model_id": row.model_version_id,
        "split": row.split,
        "prompts_sha": row.prompts_sha,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "of": row.n,
        "errors": row.errors,
        "seconds": row.seconds,
        "tokens": row.tokens,
    }


def _dataset(version: ModelVersion) -> dict[str, Any] | None:
    dataset = version.dataset_version
    if dataset is None:
        return None
    facts: dict[str, Any] = {
        "number": dataset.number,
        "sha256": dataset.sha256,
        "rows": dataset.row_count,
        "manifest": dataset.manifest,
        "control": version.status == ModelVersion.Status.CONTROL,
    }
    source = (version.iteration.control_of_id or version.iteration_id) if version.iteration else None
    if source:
        simulated = Q(user__is_simulated=True)
        facts["people"] = Annotation.objects.filter(task__iteration=source, outcome="answered").aggregate(
            people=Count("id", filter=~simulated), simulated=Count("id", filter=simulated)
        )
    return facts


def _promotions(version: ModelVersion) -> list[dict[str, Any]]:
    return [
        {
            "kind": p.kind,
            "at": f"{p.created_at:%Y-%m-%d}",
            "by": "a lead" if p.by_id else "the gate",  # a card travels: no names of people
            "reasons": p.reasons,
        }
        for p in version.promotions.order_by("id")
    ]


def _domains(version: ModelVersion) -> list[str]:
    domains = version.project.prompts.order_by().values_list("meta__domain", flat=True).distinct()
    return sorted({str(d) for d in domains if d})
