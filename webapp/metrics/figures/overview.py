"""The held-out history of a project: what each iteration's model reached, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from webapp.metrics.charts.history import Kind, Stop, history
from webapp.metrics.figures import Build, Cell, Figure
from webapp.metrics.figures.metric import KINDS
from webapp.metrics.overview import Turn, turns_of
from webapp.metrics.templatetags.numbers import percent, points
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least

KEY = "heldout-history"
LAST = 24  # iterations that are drawn
NAMED = 3  # alarmed iterations in the title; of more how many


def heldout_history(project: Project, query: Mapping[str, str]) -> Figure | None:
    return history_of(project, turns_of(project, told=at_least(project.my_role, Role.LEAD)))


def history_of(project: Project, turns: Sequence[Turn]) -> Figure | None:
    """``turns`` newest first, as `turns_of` has them; None before anything was measured."""
    measured = [t for t in reversed(turns) if t.after_ends and t.decision.get("after") is not None]
    measured = [t for t in measured if "picks" not in t.decision]  # a scorer's picks are another figure
    if not measured:
        return None
    measured = measured[-LAST:]
    stops = [*_start(measured[0]), *(_stop(project, t) for t in measured)]
    return Figure(
        key=KEY,
        title=_title(measured),
        caption=_(
            "Held-out accuracy by iteration with its interval (95 %): ● promoted, ○ held, ▲ alarm (hollow: "
            "held), □ base or control arm; the line runs through the champions."
        ),
        template="metrics/drawings/history.html",
        chart=history(stops),
        head=[
            _("Iteration"), _("Recipe"), _("Held-out before"), _("After"), _("After, low (95 %)"),
            _("After, high (95 %)"), _("Change, points"),
            _("Low (95 %)"), _("High (95 %)"), _("Decision"), _("Alarms"),
        ],
        rows=[_row(project, t) for t in measured],
    )  # fmt: skip


def _title(measured: Sequence[Turn]) -> str:
    promoted = [t for t in measured if t.main and t.promoted]
    alarmed = [str(t.iteration.number) for t in measured if t.alarms]
    first = percent(measured[0].decision["before"])
    if promoted:
        said = ngettext(
            "Held-out accuracy went from %(first)s to %(last)s by %(n)s promotion",
            "Held-out accuracy went from %(first)s to %(last)s by %(n)s promotions",
            len(promoted),
        ) % {"first": first, "last": percent(promoted[-1].decision["after"]), "n": len(promoted)}
    else:
        said = _("No iteration was promoted: held-out accuracy is {first}").format(first=first)
    if not alarmed:
        return said
    if len(alarmed) > NAMED:
        return f"{said}; {_('alarms in {n} iterations').format(n=len(alarmed))}"
    numbers = ", ".join(alarmed)
    also = ngettext("alarm in iteration %(numbers)s", "alarms in iterations %(numbers)s", len(alarmed))
    return f"{said}; {also % {'numbers': numbers}}"


def _start(first: Turn) -> list[Stop]:
    """What the first iteration began with."""
    value, ends = first.decision.get("before"), first.before_ends
    if value is None or ends is None:
        return []
    name = _("base") if _from_base(first) else _("before")
    return [Stop(name, value, *ends, "base", words=f"{name}: {percent(value)}")]


def _from_base(turn: Turn) -> bool:
    return turn.iteration.champion is not None and turn.iteration.champion.parent_id is None


def kind_of(turn: Turn) -> Kind:
    return "control" if not turn.main else "promoted" if turn.promoted else "held"


def _stop(project: Project, turn: Turn) -> Stop:
    assert turn.after_ends is not None
    value, alarms = turn.decision["after"], [row.title for row in turn.alarms]
    number = turn.iteration.number
    words = _("Iteration {n}, {recipe}: {value}, {kind}").format(
        n=number, recipe=turn.iteration.recipe_name, value=percent(value), kind=KINDS[kind_of(turn)]
    )
    return Stop(
        str(number), value, *turn.after_ends, kind_of(turn), alarms,
        reverse("iteration", args=[project.slug, number]),
        f"{words}. {_('Alarms')}: {', '.join(alarms)}" if alarms else words,
    )  # fmt: skip


def _row(project: Project, turn: Turn) -> list[Cell]:
    d, ends = turn.decision, turn.after_ends or (None, None)
    change = d.get("ci95") or (None, None)
    number = turn.iteration.number
    return [
        Cell(str(number), number, reverse("iteration", args=[project.slug, number]), number=True),
        Cell(turn.iteration.recipe_name),
        Cell(percent(d.get("before")), d.get("before"), number=True),
        Cell(percent(d.get("after")), d.get("after"), number=True),
        *(Cell(percent(end), _raw(end), number=True) for end in ends),
        *(Cell(points(by), _raw(by, 100), number=True) for by in (d.get("effect"), *change)),
        Cell(str(KINDS[kind_of(turn)])),
        Cell(", ".join(row.title for row in turn.alarms)),
    ]


def _raw(value: float | None, times: int = 1) -> float | str:
    """As the CSV has it: shares as they are, a change in the points that its head says."""
    return "" if value is None else round(times * value, 6)


FIGURES: Mapping[str, tuple[Role, Build]] = {KEY: (Role.VIEWER, heldout_history)}
