"""Differences between two iterations, or the gains of two recipes, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loop.evaluate.unpaired import FEWEST
from webapp.metrics.charts import Difference, forest
from webapp.metrics.compare_page import (
    Both,
    Recipe,
    iterations_compared,
    recipe_gains,
    recipes_difference,
)
from webapp.metrics.figures import Build, Cell, Figure
from webapp.metrics.figures.metric import KINDS
from webapp.metrics.templatetags.numbers import points, written, written_interval
from webapp.metrics.values import turns_of
from webapp.projects.models import Project, Role

# What is drawn of two iterations, in this order; the table of the page has everything.
DRAWN = (
    "pass_at_1",
    "pass_at_k",
    "maj_at_k",
    "kept_right",
    "coverage",
    "correction_delta",
    "critic_agrees_with_checker",
    "people_agree_with_checker",
    "heldout_after",
    "heldout_gain",
    "probe_after",
    "forgetting",
)


def compare_figure(project: Project, query: Mapping[str, str]) -> Figure | None:
    """``what`` is iterations or recipes, ``a`` and ``b`` their numbers or names."""
    build = BUILDS.get(query.get("what", ""))
    return build(project, query.get("a", ""), query.get("b", "")) if build else None


def _of_iterations(project: Project, a: str, b: str) -> Figure | None:
    turns = {str(t.number): t for t in turns_of(project)}
    if a not in turns or b not in turns or a == b:
        return None
    return iterations_figure(project, iterations_compared(project, turns[a], turns[b]))


def _of_recipes(project: Project, a: str, b: str) -> Figure | None:
    turns = turns_of(project, arm="main")
    return recipes_figure(project, recipe_gains(project, a, turns), recipe_gains(project, b, turns))


BUILDS: Mapping[str, Callable[[Project, str, str], Figure | None]] = {
    "iterations": _of_iterations,
    "recipes": _of_recipes,
}


@dataclass(frozen=True, slots=True)
class _Row:
    difference: Difference
    cells: list[Cell]


def iterations_figure(project: Project, both: Both) -> Figure | None:
    rows = list(_iteration_rows(project, both))
    drawn = forest([row.difference for row in rows], "points")
    if drawn is None:
        return None
    told = {"a": both.before.number, "b": both.after.number}
    return Figure(
        key="compare",
        title=_iterations_title(both),
        caption=_(
            "Iteration %(b)s minus iteration %(a)s in percentage points, with intervals at 95 %%. Solve "
            "rates are paired over the prompts both sampled; all else takes the two for independent, "
            "which is wider where they shared prompts. Filled: the interval is clear of zero; the word "
            "beside it says whether that is better or worse, which for some measures means less."
        )
        % told,
        template="metrics/drawings/forest.html",
        chart=drawn,
        head=[
            _("Measure"),
            _("Iteration %(a)s") % told,
            _("Iteration %(b)s") % told,
            _("Difference"),
            _("Low (95 %)"),
            _("High (95 %)"),
            _("How"),
        ],
        rows=[row.cells for row in rows],
        query=urlencode({"what": "iterations", "a": str(told["a"]), "b": str(told["b"])}),
    )


def _iterations_title(both: Both) -> str:
    paired = both.paired
    told: dict[str, int | str] = {"a": both.before.number, "b": both.after.number}
    if paired is None:
        return _("Iterations %(a)s and %(b)s share no scored prompt: nothing is paired") % told
    told |= {"n": paired.n, "by": _size(paired.change.effect)}
    low, high = paired.change.ci95
    if low > 0:
        return _("Iteration %(b)s solves %(by)s points more of the %(n)s prompts than iteration %(a)s") % told
    if high < 0:
        return (
            _("Iteration %(b)s solves %(by)s points fewer of the %(n)s prompts than iteration %(a)s") % told
        )
    return _("The %(n)s prompts both sampled do not tell iterations %(a)s and %(b)s apart") % told


def _iteration_rows(project: Project, both: Both) -> Iterator[_Row]:
    if (paired := both.paired) is not None:
        name, how = _("Solve rate"), _("paired, n %(n)s") % {"n": paired.n}
        low, high = paired.change.ci95
        cells = _cells(paired.before, paired.after, "share", paired.change.effect, low, high, how)
        yield _Row(Difference(name, paired.change.effect, low, high, note=how), [Cell(name), *cells])
    compared = {c.name: c for _group, rows in both.groups for c in rows}
    for name in DRAWN:
        one = compared.get(name)
        if one is None or one.change is None or one.before is None or one.after is None:
            continue
        ends: tuple[float | None, float | None] = one.change.ci95 or (None, None)
        href = reverse("metric", args=[project.slug, name])
        cells = _cells(
            one.before.value, one.after.value, one.metric.unit, one.change.by, *ends, _("not paired")
        )
        drawn = Difference(one.title, one.change.by, *ends, href, better=one.metric.better)
        yield _Row(drawn, [Cell(one.title, href=href), *cells])


def _cells(
    before: float | None,
    after: float | None,
    unit: str,
    by: float,
    low: float | None,
    high: float | None,
    how: str,
) -> list[Cell]:
    sides = [Cell(written(side, unit), side, number=True) for side in (before, after)]
    ends = [Cell(written(x, "points"), "" if x is None else x, number=True) for x in (by, low, high)]
    return [*sides, *ends, Cell(how)]


def recipes_figure(project: Project, before: Recipe, after: Recipe) -> Figure | None:
    rows = [row for recipe in (before, after) for row in _recipe_rows(project, recipe)]
    drawn = forest([row.difference for row in rows], "points")
    if drawn is None:
        return None
    return Figure(
        key="compare",
        title=recipes_title(before, after),
        caption=_(
            "Change on held-out prompts in percentage points, paired with the champion each iteration "
            "started from, with intervals at 95 %; that of a mean comes from how much its iterations differ, "
            "and needs three. Later champions are harder to beat, whatever the recipe. Filled: clear of zero."
        ),
        template="metrics/drawings/forest.html",
        chart=drawn,
        head=[_("Recipe"), _("Iteration"), _("Change"), _("Low (95 %)"), _("High (95 %)"), _("Outcome")],
        rows=[row.cells for row in rows],
        query=urlencode({"what": "recipes", "a": before.name, "b": after.name}),
    )


def recipes_title(before: Recipe, after: Recipe) -> str:
    told: dict[str, int | str] = {"a": before.name, "b": after.name}
    if before.mean is None or after.mean is None:
        return _("%(a)s and %(b)s: only one of them has measured gains") % told
    found = recipes_difference(before, after)
    if found is None:
        told |= {"n": len(before.gains), "m": len(after.gains), "fewest": FEWEST}
        return (
            _("Too few iterations to compare %(a)s (%(n)s) and %(b)s (%(m)s): each needs %(fewest)s") % told
        )
    by, (low, high) = found
    if low <= 0 <= high:
        told["ends"] = written_interval(low, high, "points")
        return _("Their iterations do not tell %(a)s and %(b)s apart (difference %(ends)s points)") % told
    worse, better = sorted((before, after), key=lambda recipe: recipe.mean or 0.0)
    ends = (low, high) if by > 0 else (-high, -low)
    return _apart(worse, better) % {
        "better": better.name,
        "worse": worse.name,
        "by": _size(by),
        "gained": _size(better.mean),
        "lost": _size(worse.mean),
        "ends": written_interval(*ends, "points"),
    }


def _apart(worse: Recipe, better: Recipe) -> str:
    """Who loses is not said to gain."""
    if (worse.mean or 0.0) >= 0:
        return _("%(better)s gains %(by)s points more an iteration than %(worse)s (%(ends)s)")
    if (better.mean or 0.0) < 0:
        return _("%(better)s loses %(by)s points fewer an iteration than %(worse)s (%(ends)s)")
    return _(
        "%(better)s gains %(gained)s points an iteration and %(worse)s loses %(lost)s "
        "(difference %(by)s, %(ends)s)"
    )


def _size(change: float | None) -> str:
    return points(abs(change or 0.0)).lstrip("+")


def _recipe_rows(project: Project, recipe: Recipe) -> Iterator[_Row]:
    for gain in recipe.gains:
        number = gain.turn.number
        href = reverse("iteration", args=[project.slug, number])
        label = _("%(recipe)s, iteration %(n)s") % {"recipe": recipe.name, "n": number}
        cells = [
            Cell(recipe.name),
            Cell(str(number), number, href, number=True),
            *_gain(gain.value, gain.ci95),
        ]
        yield _Row(
            Difference(label, gain.value, *gain.ci95, href), [*cells, Cell(str(KINDS[gain.turn.kind]))]
        )
    if recipe.mean is not None and recipe.ci95 is not None:
        n = len(recipe.gains)
        of = ngettext("mean of %(n)s iteration", "mean of %(n)s iterations", n) % {"n": n}
        label = f"{recipe.name}, {of}"
        cells = [Cell(recipe.name), Cell(of, number=True), *_gain(recipe.mean, recipe.ci95), Cell("")]
        yield _Row(Difference(label, recipe.mean, *recipe.ci95), cells)


def _gain(value: float, ci95: tuple[float, float]) -> list[Cell]:
    return [Cell(written(x, "points"), x, number=True) for x in (value, *ci95)]


FIGURES: dict[str, tuple[Role, Build]] = {"compare": (Role.VIEWER, compare_figure)}
