"""Figures of annotation at work: ages of the queue, answers by day, agreement by week, cost by iteration."""

from __future__ import annotations

from collections.abc import Mapping

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from webapp.metrics.charts import Column, Line, Point, columns, trend
from webapp.metrics.figures import Build, Cell, Figure
from webapp.metrics.operations_page import DAYS, Operations
from webapp.metrics.templatetags.numbers import (
    duration,
    marked,
    percent,
    whole,
)
from webapp.projects.models import Project, Role

HOUR = 3600.0
AGES = ("< 1 h", "< 6 h", "< 1 d", "< 3 d", "< 7 d", "< 28 d", lazy("more"))  # see operations_page.AGES


def age_of(operations: Operations) -> Figure | None:
    """How long the waiting tasks have waited; None where none waits."""
    waiting = operations.waiting[0]
    if not waiting.tasks:
        return None
    counts = [(str(label), n) for label, n in zip(AGES, waiting.by_age, strict=True)]
    told = {"median": _time(waiting.median), "oldest": _time(waiting.oldest)}
    about = _("Counts are estimated from a sample of all tasks.") if waiting.about else ""
    return Figure(
        key="operations-age",
        title=_("Half of what waits has waited for %(median)s or longer; the oldest for %(oldest)s") % told,
        caption=" ".join(
            filter(None, [_("Across: how long ago a waiting task was made. Up: how many tasks."), about])
        ),
        template="metrics/drawings/columns.html",
        chart=columns([Column(k, float(n), words=f"{k}: {whole(n)}") for k, n in counts], "count"),
        head=[_("Waits for"), _("Tasks")],
        rows=[[Cell(k), Cell(whole(n), n, number=True)] for k, n in counts],
    )


def _time(seconds: float | None) -> str:
    """For a title: not broken at the end of a line."""
    return duration(seconds).replace(" ", "\u00a0")


def days_of(operations: Operations) -> Figure | None:
    """Answers by day; None where nobody answered."""
    days, total = operations.days, operations.answers
    if not total:
        return None
    best = max(days, key=lambda d: d.answers)
    answers = ngettext("%(n)s answer", "%(n)s answers", total) % {"n": whole(total)}
    told = {"answers": answers, "days": DAYS, "most": whole(best.answers), "day": f"{best.day:%d %b}"}
    if best.answers == total:
        title = _("%(answers)s in %(days)s days, all on %(day)s") % told
    else:
        title = _("%(answers)s in %(days)s days, most on %(day)s (%(most)s)") % told
    return Figure(
        key="operations-days",
        title=title,
        caption=_("Across: days (UTC), today last. Up: answers of everybody, gold items and repeats too."),
        template="metrics/drawings/columns.html",
        chart=columns(
            [Column(f"{d.day:%d}", float(d.answers), words=f"{d.day:%d %b}: {d.answers}") for d in days],
            "count",
        ),
        head=[_("Day (UTC)"), _("Answers"), _("People"), _("Hours")],
        rows=[
            [
                Cell(f"{d.day:%d %b %Y}", raw=d.day.isoformat()),
                Cell(whole(d.answers), d.answers, number=True),
                Cell(whole(d.people), d.people, number=True),
                Cell(marked(f"{d.seconds / HOUR:.1f}"), round(d.seconds / HOUR, 3), number=True),
            ]
            for d in reversed(days)
        ],
    )


def agreement_of(operations: Operations) -> Figure | None:
    """Pairs of answers that say the same, by week; None where nobody answered what another did."""
    weeks = operations.weeks
    if not weeks:
        return None
    points = []
    for week, rate in weeks:
        low, high = rate.ci95 or (None, None)
        words = f"{week:%d %b %Y}: {percent(rate.value)}, n {rate.n}"
        points.append(Point(f"{week:%d %b}", rate.value, low, high, words=words))
    week, rate = weeks[-1]
    return Figure(
        key="operations-agreement",
        title=_("In the week of %(week)s, %(share)s of pairs of answers say the same")
        % {"week": f"{week:%d %b}", "share": percent(rate.value)},
        caption=_(
            "Across: weeks by their Monday. Up: share of pairs of answers to one task that say the same, of "
            "the newest tasks that several people answered. Band: 95 %."
        ),
        template="metrics/drawings/trend.html",
        chart=trend([Line("", points)], "share"),
        head=[_("Week of"), _("Say the same"), _("Low (95 %)"), _("High (95 %)"), _("Pairs")],
        rows=[
            [
                Cell(f"{day:%d %b %Y}", raw=day.isoformat()),
                *(
                    Cell(percent(end), "" if end is None else end, number=True)
                    for end in (r.value, *(r.ci95 or (None, None)))
                ),
                Cell(whole(r.n), r.n, number=True),
            ]
            for day, r in reversed(weeks)
        ],
    )


def cost_of(operations: Operations) -> Figure | None:
    """Minutes of people's time for each row trained on, by iteration; None where nobody's time is known."""
    costs = operations.costs
    if not costs:
        return None
    slug = operations.project.slug
    points = [
        Point(
            str(c.turn.number),
            60 * c.minutes,
            kind=c.turn.kind,
            href=reverse("iteration", args=[slug, c.turn.number]),
            words=_("iteration %(n)s: %(time)s for each of %(rows)s rows")
            % {"n": c.turn.number, "time": duration(60 * c.minutes), "rows": whole(c.rows)},
        )
        for c in costs
    ]
    last = costs[-1]
    return Figure(
        key="operations-cost",
        title=_("A row that is trained on cost %(time)s of people’s time in iteration %(n)s")
        % {"time": _time(60 * last.minutes), "n": last.turn.number},
        caption=_("Across: iterations. Up: time of all answers, divided by the rows of the dataset."),
        template="metrics/drawings/trend.html",
        chart=trend([Line("", points)], "s"),
        head=[_("Iteration"), _("Time for a row"), _("Hours of people"), _("Rows")],
        rows=[
            [
                Cell(str(c.turn.number), c.turn.number, reverse("iteration", args=[slug, c.turn.number])),
                Cell(duration(60 * c.minutes), round(60 * c.minutes, 1), number=True),
                Cell(marked(f"{c.hours:.2f}"), c.hours, number=True),
                Cell(whole(c.rows), c.rows, number=True),
            ]
            for c in reversed(costs)
        ],
    )


BUILDERS = {
    "operations-age": age_of,
    "operations-days": days_of,
    "operations-agreement": agreement_of,
    "operations-cost": cost_of,
}


def _by_address(key: str) -> Build:
    def build(project: Project, query: Mapping[str, str]) -> Figure | None:
        return BUILDERS[key](Operations(project, timezone.now()))

    return build


FIGURES: dict[str, tuple[Role, Build]] = {key: (Role.LEAD, _by_address(key)) for key in BUILDERS}
