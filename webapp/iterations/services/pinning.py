"""Which prompts an iteration is decided on: pinned when its measuring begins, and counted as used."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import QuerySet

from loop.promote import rotation
from loop.records import Split
from webapp.iterations.models import Iteration
from webapp.iterations.selectors import recipe_of
from webapp.projects.models import Prompt
from webapp.registry.models import GateUse


def evaluation_sets(iteration: Iteration) -> dict[str, list[int]]:
    """Prompt ids of the held-out and probe sets, in a fixed order; the same however often it is asked.

    A control arm is measured on what the iteration it controls was measured on. No held-out ids although the
    project has some: all are used up.
    """
    use = gate_use_pin(iteration=iteration)
    return {Split.HELDOUT.value: list(use.prompt_ids), Split.PROBE.value: list(use.probe_ids)}


def gate_use_pin(*, iteration: Iteration) -> GateUse:
    """The iteration's use of the held-out prompts, made at the first call.

    It counts from then on, also when the iteration is cancelled: its figures have been looked at.
    """
    owners = [iteration.pk, *([iteration.control_of_id] if iteration.control_of_id else [])]
    found = {use.iteration_id: use for use in GateUse.objects.filter(iteration__in=owners)}
    if pinned := next((found[pk] for pk in reversed(owners) if pk in found), None):
        return pinned
    recipe = recipe_of(iteration)
    chosen = rotation.choose(
        dict(_prompts(iteration, Split.HELDOUT).values_list("id", "family")),
        prompt_uses(iteration.project_id),
        slices=recipe.gate.slices,
        budget=recipe.gate.uses_per_slice,
        limit=recipe.evaluate.limit,
    )
    probe = _prompts(iteration, Split.PROBE).values_list("id", flat=True)[: recipe.evaluate.limit]
    return GateUse.objects.create(
        project_id=iteration.project_id,
        iteration=iteration,
        slice=chosen.number,
        slices=chosen.of,
        prompt_ids=chosen.ids,
        probe_ids=list(probe),
    )


def _prompts(iteration: Iteration, split: Split) -> QuerySet[Prompt]:
    """Prompts imported since the iteration (or the one it controls) began wait for the next."""
    began = (iteration.control_of or iteration).created_at
    return Prompt.objects.filter(
        project_id=iteration.project_id, split=split.value, created_at__lte=began
    ).order_by("id")


def prompt_uses(project_id: int, before: int | None = None) -> dict[int, int]:
    """Held-out prompt id -> decisions it took part in; with ``before``, those before the use of this key."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT prompt, count(*) FROM registry_gateuse, unnest(prompt_ids) prompt"
            " WHERE project_id = %(project)s AND (%(before)s::bigint IS NULL OR id < %(before)s)"
            " GROUP BY prompt",
            {"project": project_id, "before": before},
        )
        return dict(cursor.fetchall())


def slice_shown(iteration: Iteration) -> dict[str, Any]:
    """What the decision says of its slice; ``exhausted``: every held-out prompt has been used up."""
    use, part = gate_use_pin(iteration=iteration), recipe_of(iteration).gate
    uses = prompt_uses(iteration.project_id, before=use.pk)
    return {
        "number": use.slice + 1,
        "of": use.slices,
        "prompts": len(use.prompt_ids),
        "uses": max((uses.get(pk, 0) for pk in use.prompt_ids), default=part.uses_per_slice or 0),
        "budget": part.uses_per_slice,
        "exhausted": not use.prompt_ids and _prompts(iteration, Split.HELDOUT).exists(),
    }
