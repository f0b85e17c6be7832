"""Figures of the whole site. They have addresses of their own, for staff: see `metrics.views.system`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from django.db.models import Count
from django.db.models.functions import TruncHour
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from webapp.iterations.models import WorkUnit
from webapp.metrics.charts.stacks import MOST_PARTS, Amounts, stacks
from webapp.metrics.figures import Build, Cell, Figure
from webapp.metrics.templatetags.numbers import whole
from webapp.projects.models import Role

FIGURES: dict[str, tuple[Role, Build]] = {}  # none of a single project
HOURS = 24

Hourly = Mapping[datetime, Counter[str]]


def units_done(now: datetime) -> Figure | None:
    """Units finished in each of the last 24 hours, by kind; None where none was."""
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    hours: dict[datetime, Counter[str]] = {start + timedelta(hours=i): Counter() for i in range(HOURS)}
    done = WorkUnit.objects.filter(state=WorkUnit.State.DONE, finished_at__gte=start).order_by()
    counted = done.values_list(TruncHour("finished_at"), "kind").annotate(n=Count("pk"))
    for hour, kind, n in counted:
        if hour in hours:
            hours[hour][kind] += n
    names, other = _kinds(hours)
    shown = [*names, _("others")] if other else names
    drawn = stacks([_amounts(hour, said, names, other) for hour, said in hours.items()], shown, "count")
    if drawn is None:
        return None
    total = sum(sum(said.values()) for said in hours.values())
    title = ngettext("%(n)s unit was finished", "%(n)s units were finished", total) % {"n": whole(total)}
    every = [*names, *sorted(other)]
    first = sum(said[names[0]] for said in hours.values())
    told = {"units": title, "kind": names[0], "n": whole(first)}
    return Figure(
        key="units-done",
        title=(
            _("%(units)s in the last 24 hours, most of them %(kind)s") % told
            if 2 * first > total
            else _("%(units)s in the last 24 hours, of no kind more than of %(kind)s (%(n)s)") % told
        ),
        caption=_("Units of machine work finished in each hour (UTC), by kind. The last hour is not over."),
        template="metrics/drawings/stacks.html",
        chart=drawn,
        head=[_("Hour (UTC)"), *every],
        rows=[
            [
                Cell(f"{hour:%d %b %H:00}", raw=hour.isoformat()),
                *(Cell(whole(said[k]), raw=said[k], number=True) for k in every),
            ]
            for hour, said in reversed(hours.items())
        ],
    )


def _kinds(hours: Hourly) -> tuple[list[str], set[str]]:
    """The kinds that are drawn, most frequent first, and those that go together."""
    total: Counter[str] = sum(hours.values(), Counter())
    ranked = [kind for kind, _n in total.most_common()]
    if len(ranked) <= MOST_PARTS:
        return ranked, set()
    return ranked[: MOST_PARTS - 1], set(ranked[MOST_PARTS - 1 :])


def _amounts(hour: datetime, said: Counter[str], names: list[str], other: set[str]) -> Amounts:
    parts = [float(said[name]) for name in names]
    if other:
        parts.append(float(sum(said[name] for name in other)))
    words = ", ".join(f"{kind} {n}" for kind, n in said.most_common()) or _("none")
    return Amounts(f"{hour:%H}", parts, f"{hour:%H:00}: {words}")


SITE: Mapping[str, Callable[[datetime], Figure | None]] = {"units-done": units_done}
