"""Any two iterations or recipes side by side; models have a page of their own."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.metrics.compare_page import chosen, iterations_compared, recipe_gains
from webapp.metrics.figures.compare import iterations_figure, recipes_figure
from webapp.metrics.values import turns_of
from webapp.projects.access import project_page
from webapp.projects.models import Project


def _iterations(project: Project, wanted: dict[str, str]) -> dict[str, Any]:
    turns = {str(t.number): t for t in turns_of(project)}
    main = [number for number, turn in turns.items() if turn.main]
    last = [list(turns).index(n) for n in main[-2:]] if len(main) > 1 else [0, -1]
    pair = chosen(list(turns), wanted, (last[0], last[1]))
    context: dict[str, Any] = {"options": [(n, f"{n} {t.recipe}") for n, t in reversed(turns.items())]}
    if pair is None:
        return context
    both = iterations_compared(project, turns[pair[0]], turns[pair[1]])
    numbers = dict(
        project.iterations.filter(pk__in=(both.before.pk, both.after.pk)).values_list(
            "pk", "challenger__number"
        )
    )
    challengers = [numbers[both.before.pk], numbers[both.after.pk]]
    return context | {
        "pair": pair,
        "both": both,
        "figure": iterations_figure(project, both),
        "challengers": challengers if all(challengers) else None,
    }


def _recipes(project: Project, wanted: dict[str, str]) -> dict[str, Any]:
    turns = turns_of(project, arm="main")
    names = list(dict.fromkeys(t.recipe for t in turns))
    pair = chosen(names, wanted, (-2, -1))
    context: dict[str, Any] = {"options": [(n, n) for n in names]}
    if pair is None:
        return context
    sides = [recipe_gains(project, name, turns) for name in pair]
    return context | {"pair": pair, "recipes": sides, "figure": recipes_figure(project, *sides)}


KINDS = {"iterations": _iterations, "recipes": _recipes}


@project_page()
@require_GET
def compare(request: SignedInRequest, project: Project) -> HttpResponse:
    """``what``: iterations, recipes or models; ``a`` and ``b``: which two."""
    wanted = {key: request.GET[key] for key in ("a", "b") if request.GET.get(key)}
    what = request.GET.get("what", "iterations")
    if what == "models":
        return redirect(f"{reverse('models_compare', args=[project.slug])}?{urlencode(wanted)}")
    what = what if what in KINDS else "iterations"
    context = {"project": project, "nav": "metrics", "what": what, **KINDS[what](project, wanted)}
    return render(request, "metrics/compare.html", context)
