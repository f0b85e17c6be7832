"""Measuring the champion for those who watch it: new prompts are no drift until it was measured on them."""

from __future__ import annotations

from datetime import datetime, timedelta

from loop.schedule import Plan
from webapp.iterations.models import WorkUnit
from webapp.iterations.services import evaluation_start
from webapp.projects.models import Project
from webapp.registry.models import Evaluation

EVERY = timedelta(hours=24)
MOST = 2000  # prompts; this and the sampling as `model_evaluate` has them
SAMPLING = {"temperature": 0.0, "max_new_tokens": 160}


def champion_measure(*, project: Project, plan: Plan, now: datetime) -> bool:
    """Queue a measuring of the champion on the watched split as it is now; at most one a day.

    Prompts that it was measured on before, exactly these, are not asked again. True if one was queued.
    """
    source, _, split = plan.metric.partition(":")
    champion = project.champion
    if source != "champion" or champion is None:
        return False
    earlier = Evaluation.objects.filter(model_version=champion, split=split)
    # Not by evaluations without an end: those of a cancelled iteration stay so for ever.
    asked = project.units.filter(iteration=None, kind="evaluate", payload__version_id=champion.pk)
    if asked.filter(state__in=[WorkUnit.State.QUEUED, WorkUnit.State.RUNNING]).exists():
        return False
    if any(rows.filter(created_at__gt=now - EVERY).exists() for rows in (earlier, asked)):
        return False
    ids = list(project.prompts.filter(split=split).order_by("id").values_list("id", flat=True)[:MOST])
    if not ids:
        return False
    evaluation, _ = evaluation_start(version=champion, split=split, prompt_ids=ids, sampling=SAMPLING)
    return not evaluation.done
