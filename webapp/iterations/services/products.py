"""What machine work leaves on the iteration: its dataset version, and its challenger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from loop.curate import Material, shuffle_verdicts, with_scorer_verdicts
from loop.dialects import dialect_named
from loop.finetune.objectives import OBJECTIVES
from loop.recipe import Recipe
from loop.records import CONTENT_FREE, RowKind
from webapp.annotate.models import TaskPurpose
from webapp.curate.composing import compose
from webapp.curate.models import Example
from webapp.curate.selectors import material_parts, materials_of, outside_parts, outside_tasks
from webapp.curate.services import dataset_compose, examples_derive
from webapp.iterations.models import Iteration
from webapp.registry.models import ModelVersion
from webapp.registry.services import model_register
from webapp.traces.models import Response, Score


def dataset_attach(*, iteration: Iteration, recipe: Recipe) -> dict[str, Any]:
    """Derive the iteration's examples, add what the recipe replays, freeze, and keep the funnel.

    The control arm reads the responses of the iteration it controls, with every verdict and
    judgement dealt out at random.
    """
    control = iteration.arm == Iteration.Arm.SHUFFLED
    source = iteration.control_of or iteration
    tokens = RowKind.OUTCOME in recipe.curate.rows
    materials: Iterable[list[Material]] = material_parts(source.pk, tokens=tokens)
    # What people accepted beside the iterations belongs to "all" as well; who replays nothing leaves it out.
    outside = outside_tasks(iteration.project, source.pk, fresh=not control)
    outside = outside if recipe.curate.replay == "all" else outside.none()
    if control:  # verdicts change hands across prompts: all at once
        accepted = None  # other kinds' rows are as many whatever the verdicts say, but for repeats
        if RowKind.SAMPLE in recipe.curate.rows:
            accepted = Example.objects.filter(iteration=source, kind=RowKind.SAMPLE.value).count()
        whole = [*materials_of(source.pk, tokens=tokens), *chain(*outside_parts(outside, tokens=tokens))]
        if recipe.curate.accept == "scorer":  # or its right verdicts could not be counted
            whole = [with_scorer_verdicts(material, recipe.curate.threshold) for material in whole]
        materials = [shuffle_verdicts(whole, iteration.seed, rows=accepted)]
    else:
        materials = chain(materials, outside_parts(outside, tokens=tokens))
    examples, dropped = examples_derive(
        project=iteration.project,
        iteration_id=iteration.pk,
        materials=materials,
        part=recipe.curate,
        dialect=dialect_named(iteration.project.dialect),
    )
    kept = dropped.pop("kept", 0)
    composition = compose(
        project=iteration.project,
        fresh=Example.objects.filter(project=iteration.project, iteration=iteration),
        replayed=_replayed(iteration, recipe),
        order=[example.pk for example in examples],
        part=recipe.curate,
        seed=iteration.seed,
        champion_id=iteration.champion_id,
    )
    replayed = sum(row.replayed for row in composition.mixture.rows)
    dataset = dataset_compose(
        project=iteration.project,
        composition=composition,
        iteration_id=iteration.pk,
        manifest={"dropped": dropped, "arm": iteration.arm},
    )
    controls = Exists(Score.objects.filter(response=OuterRef("pk"), name=CONTENT_FREE))
    sampled = Response.objects.filter(~controls, iteration=source)
    verdicts = Counter(sampled.values_list("verdict", flat=True))
    generated = source.units.filter(kind="generate").values_list("result", flat=True)
    iteration.dataset_version = dataset
    iteration.counts = {
        **iteration.counts,
        "prompts": Response.objects.filter(iteration=source).values("prompt").distinct().count(),
        # Where the method itself broke: many are a fault, which must not look like a low yield.
        "failed_prompts": sum(result.get("failed_prompts", 0) for result in generated),
        "sampled": sum(verdicts.values()),
        "verified": verdicts["right"],
        "annotated": source.tasks.filter(purpose=TaskPurpose.LABEL, answers__gt=0).count(),
        "outside": outside.count(),
        "kept": kept,
        "accepted": dict(Counter(e.kind for e in examples)),
        "dropped": dropped,
        "left_out": composition.dropped,
        "replayed": replayed,
        "trained": dataset.row_count,
    }
    iteration.save(update_fields=["dataset_version", "counts"])
    return {"dataset": dataset.number, "rows": dataset.row_count, "kept": kept, "dropped": dropped}


def _replayed(iteration: Iteration, recipe: Recipe) -> QuerySet[Example] | None:
    """Examples of earlier iterations of the same arm, of the kinds this objective can train.

    A control arm replays earlier controls alone: the true labels of main ones would teach it.
    """
    if recipe.curate.replay == "none":
        return None
    trains = [kind.value for kind in OBJECTIVES[recipe.finetune.objective].rows]
    return Example.objects.filter(
        project=iteration.project,
        iteration__arm=iteration.arm,
        iteration__number__lt=(iteration.control_of or iteration).number,
        kind__in=trains,
    )


def challenger_register(
    *,
    iteration: Iteration,
    adapter_path: str,
    adapter_sha: str,
    hashes: Mapping[str, str],
    training: Mapping[str, Any],
    parent: ModelVersion | None,
) -> ModelVersion:
    """Register the trained adapter as the iteration's challenger (or its control model).

    ``parent`` is the version whose weights training started from; None = the bare base.
    """
    parent = parent or iteration.project.model_versions.order_by("number").first()
    control = iteration.arm != Iteration.Arm.MAIN
    version = model_register(
        project=iteration.project,
        status=ModelVersion.Status.CONTROL if control else ModelVersion.Status.CHALLENGER,
        role=OBJECTIVES[iteration.recipe["finetune"]["objective"]].gives,
        parent=parent,
        adapter_path=adapter_path,
        adapter_sha=adapter_sha,
        hashes=hashes,
        dataset_version=iteration.dataset_version,
        iteration_id=iteration.pk,
        recipe=f"{iteration.recipe_name} v{iteration.recipe['version']}",
        training=training,
    )
    iteration.challenger = version
    iteration.save(update_fields=["challenger"])
    return version
