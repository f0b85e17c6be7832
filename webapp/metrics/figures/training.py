"""The loss of an iteration's training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.http import urlencode
from django.utils.translation import gettext as _

from webapp.iterations.models import Iteration
from webapp.iterations.page import Losses, losses_of
from webapp.metrics.charts import curve
from webapp.metrics.figures import Build, Cell, Figure
from webapp.metrics.measures.training import ends
from webapp.metrics.templatetags.numbers import figure as rounded
from webapp.projects.models import Project, Role

ROWS = 240  # of the twin; as many points as the drawing has


def loss_figure(project: Project, query: Mapping[str, str]) -> Figure | None:
    """``iteration``: its number."""
    number = query.get("iteration", "")
    iteration = project.iterations.filter(number=int(number)).first() if number.isdecimal() else None
    return loss_of(iteration, losses_of(iteration)) if iteration else None


def loss_of(iteration: Iteration, losses: Losses) -> Figure | None:
    points, total = losses
    drawn = curve(points, total, most=ROWS)
    if drawn is None:
        return None
    first, last = ends([loss for _step, loss in points])
    told = {"first": rounded(first), "last": rounded(last), "steps": drawn.steps}
    if last < first:
        title = _("The training loss fell from %(first)s to %(last)s in %(steps)s steps") % told
    else:
        title = _("The training loss did not fall: %(first)s at first, %(last)s after %(steps)s steps") % told
    return Figure(
        key="loss",
        title=title,
        caption=_(
            "Across: training steps. Up: the loss of the objective, on its training rows. The title compares "
            "the means of the first and the last tenth of the steps."
        ),
        template="metrics/drawings/curve.html",
        chart=drawn,
        head=[_("Step"), _("Loss")],
        rows=[
            [Cell(str(step), step, number=True), Cell(rounded(loss), loss, number=True)]
            for step, loss in _thinned(points)
        ],
        query=urlencode({"iteration": iteration.number}),
    )


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    stride = max(1, len(points) // ROWS)
    return [*points[:-1:stride], points[-1]]


FIGURES: dict[str, tuple[Role, Build]] = {"loss": (Role.VIEWER, loss_figure)}
