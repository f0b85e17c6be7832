"""What a value's detail draws: curves over k, calibration, histograms, coverage by difficulty, the funnel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as _noop

from webapp.iterations import sentences
from webapp.metrics.charts import Bin, Column, Line, Point, bars, columns, reliability, trend
from webapp.metrics.figures import Build, Cell, Figure
from webapp.metrics.measures import metric_named
from webapp.metrics.measures.filter import RIGHT
from webapp.metrics.models import MetricValue
from webapp.metrics.templatetags.numbers import marked, percent, whole, written, written_interval
from webapp.metrics.values import detail_of, title_of
from webapp.projects.models import Project, Role

# From the value, its part of the detail, and the figure's query.
Detail = Callable[[MetricValue, Any, str], Figure | None]


def details_of(value: MetricValue, number: int) -> list[Figure]:
    """Every figure that the detail of a value has; ``number`` is its iteration's."""
    made = (_made(value, part, number) for part in PARTS if part in value.detail)
    return [figure for figure in made if figure is not None]


def detail_figure(project: Project, query: Mapping[str, str]) -> Figure | None:
    """``name``: of a stored value; ``iteration``: its number; ``part``: of its detail."""
    number, part = query.get("iteration", ""), query.get("part", "")
    if part not in PARTS or not number.isdecimal() or metric_named(query.get("name", "")) is None:
        return None
    value = detail_of(project, query["name"], int(number))
    return _made(value, part, int(number)) if value is not None and part in value.detail else None


def _made(value: MetricValue, part: str, number: int) -> Figure | None:
    query: dict[str, str | int] = {"name": value.name, "iteration": number, "part": part}
    return PARTS[part](value, value.detail[part], urlencode(query)) if value.detail[part] else None


def _curve(value: MetricValue, curve: Sequence[Sequence[float]], query: str) -> Figure | None:
    """[[k, value, low, high]…]: by how many samples."""
    points = [
        Point(f"{k:g}", y, low, high, words=_words(f"k = {k:g}", y, low, high, value.unit))
        for k, y, low, high in ((*row, None, None)[:4] for row in curve)
    ]
    first, last = curve[0], curve[-1]
    told = {
        "title": title_of(value.name),
        "first": written(first[1], value.unit),
        "last": written(last[1], value.unit),
        "a": f"{first[0]:g}",
        "b": f"{last[0]:g}",
    }
    return Figure(
        key="detail",
        title=_("With more samples: %(first)s at k = %(a)s, %(last)s at k = %(b)s") % told,
        caption=_(
            "%(title)s by k, the samples that are tried (not to scale). Band: the interval at 95 %%, by "
            "drawing prompts anew."
        )
        % told,
        template="metrics/drawings/trend.html",
        chart=trend([Line("", points)], value.unit),
        head=["k", _("Value"), _("Low (95 %)"), _("High (95 %)")],
        rows=[
            [Cell(p.label, number=True), *(_number(x, value.unit) for x in (p.value, p.low, p.high))]
            for p in points
        ],
        query=query,
    )


def _reliability(value: MetricValue, bins: Sequence[Mapping[str, Any]], query: str) -> Figure | None:
    filled = [b for b in bins if b["n"]]
    drawn = reliability([Bin(b["n"], b["confidence"], b["accuracy"]) for b in filled])
    if drawn is None:
        return None
    n = sum(b["n"] for b in filled)
    off = sum(b["n"] * (b["confidence"] - b["accuracy"]) for b in filled) / n
    source = value.name.partition(":")[2].replace("_", " ")
    told = {"source": source, "off": marked(f"{100 * abs(off):.1f}")}
    if abs(off) < 0.005:
        title = _("On the whole, %(source)s says as much as it is right") % told
    elif off > 0:
        title = _("On the whole, %(source)s says %(off)s points more than it is right") % told
    else:
        title = _("On the whole, %(source)s says %(off)s points less than it is right") % told
    return Figure(
        key="detail",
        title=title,
        caption=_(
            "Across: what was said. Up: the share that was right. A dot is a bin, its area the number in it; "
            "a source that means what it says stays on the dashed line."
        ),
        template="metrics/drawings/reliability.html",
        chart=drawn,
        head=[_("From"), _("To"), _("Said"), _("Right"), "n"],
        rows=[
            [
                *(Cell(percent(b[k]), b[k], number=True) for k in ("low", "high", "confidence", "accuracy")),
                Cell(whole(b["n"]), b["n"], number=True),
            ]
            for b in filled
        ],
        query=query,
    )


def _risk_coverage(value: MetricValue, curve: Sequence[Sequence[float]], query: str) -> Figure | None:
    """[[share answered, share wrong among those]…]"""
    points = [
        Point(f"{100 * covered:.0f} %", risk, words=f"{percent(covered)}: {percent(risk)}")
        for covered, risk in curve
    ]
    told = {
        "covered": percent(curve[0][0], 0),
        "risk": percent(curve[0][1]),
        "all": percent(curve[-1][1]),
    }
    return Figure(
        key="detail",
        title=_("Of the surest %(covered)s, %(risk)s are wrong; of all, %(all)s") % told,
        caption=_(
            "Across: the share answered when the surest come first (not to scale). Up: how many are wrong."
        ),
        template="metrics/drawings/trend.html",
        chart=trend([Line("", points)], "share"),
        head=[_("Answered"), _("Wrong among them")],
        rows=[[Cell(percent(c), c, number=True), Cell(percent(r), r, number=True)] for c, r in curve],
        query=query,
    )


def _histogram(value: MetricValue, counts: Any, query: str) -> Figure | None:
    """[[label, count]…], or label -> count."""
    pairs = [(str(k), int(n)) for k, n in (counts.items() if isinstance(counts, dict) else counts)]
    total = sum(n for _label, n in pairs)
    label, most = max(pairs, key=lambda pair: pair[1])
    if not total:
        return None
    told = {"title": title_of(value.name), "label": label, "share": percent(most / total, 0)}
    return Figure(
        key="detail",
        title=_("%(title)s: most often %(label)s (%(share)s)") % told,
        caption=_("Across: %(title)s. Up: how many.") % told,
        template="metrics/drawings/columns.html",
        chart=columns([Column(k, float(n), words=f"{k}: {whole(n)}") for k, n in pairs], "count"),
        head=[title_of(value.name), _("How many")],
        rows=[[Cell(k, number=True), Cell(whole(n), n, number=True)] for k, n in pairs],
        query=query,
    )


def _by_solve_rate(value: MetricValue, bands: Sequence[Mapping[str, Any]], query: str) -> Figure | None:
    """Prompts from the hardest to the easiest: how many have a right sample that is kept."""
    drawn, rows = [], []
    for band in bands:
        label, share = _solved(band), band["covered"] / band["prompts"]
        low, high = band["ci95"] or (None, None)
        words = _words(f"{label} %", share, low, high, "share")
        drawn.append(Column(label, share, low, high, words=words))
        rows.append(
            [
                Cell(f"{label} %"),
                *(_number(x, "share") for x in (share, low, high)),
                *(_number(band[k], "count") for k in ("prompts", "samples", "kept")),
                _number(band["kept"] / band["samples"], "share"),
            ]
        )
    hardest = next((i for i, band in enumerate(bands) if band["high"]), None)
    if hardest is None:
        title = _("No prompt was solved: no right sample could be kept")
    else:
        title = _("Of the hardest prompts that were solved, %(share)s have a right sample that is kept") % {
            "share": percent(drawn[hardest].value, 0)
        }
    return Figure(
        key="detail",
        title=title,
        caption=_(
            "Across: prompts by how many of their samples are right, in per cent. Up: the share of them with "
            "a right sample that is kept. Whisker: Wilson’s interval at 95 %."
        ),
        template="metrics/drawings/columns.html",
        chart=columns(drawn, "share", valued=4),
        head=[
            *(_("Samples right"), _("Prompts covered"), _("Low (95 %)"), _("High (95 %)"), _("Prompts")),
            *(_("Samples"), _("Kept samples"), _("Kept")),
        ],
        rows=rows,
        query=query,
    )


def _solved(band: Mapping[str, Any]) -> str:
    """A band of solve rates as short as an axis needs."""
    low, high = (f"{100 * band[end]:g}" for end in ("low", "high"))
    return high if low == high else f"< {high}" if high == "100" else f"≤ {high}"


WITHIN = (_noop("prompts"), _noop("responses"), _noop("trained rows"))  # labels of steps within a title


def _steps(value: MetricValue, steps: Sequence[Sequence[Any]], query: str) -> Figure | None:
    counts = [(_(label), int(n), "") for label, n in steps]
    drawn = bars(counts, parts=[_(RIGHT)])  # rows are accepted of the wrong and of corrections, too
    if drawn is None:
        return None
    first, last = (f"{whole(n)} {_(label.lower())}" for label, n in (steps[0], steps[-1]))
    told = {"first": first, "last": last}
    return Figure(
        key="detail",
        title=_("%(first)s gave %(last)s") % told,
        caption=_(
            "How many there are at each step, and the share of the step before where it is a part of it."
        ),
        template="metrics/drawings/bars.html",
        chart=drawn,
        head=[_("Step"), _("How many"), _("Kept of the step before")],
        rows=[
            [
                Cell(row.bar.label),
                Cell(whole(row.bar.count), row.bar.count, number=True),
                Cell(percent(row.bar.kept), "" if row.bar.kept is None else row.bar.kept, number=True),
            ]
            for row in drawn.rows
        ],
        query=query,
    )


def _reasons(value: MetricValue, reasons: Mapping[str, int], query: str) -> Figure | None:
    named = {sentences.told(reason.replace("_", " ")): n for reason, n in reasons.items()}
    counts = sorted(named.items(), key=lambda item: (-item[1], item[0]))
    total = sum(named.values())
    drawn = bars([(reason, n, "") for reason, n in counts], parts=())
    if drawn is None or not total:
        return None
    told = {"reason": counts[0][0], "share": percent(counts[0][1] / total, 0)}
    return Figure(
        key="detail",
        title=_("Most of what was left out: %(reason)s (%(share)s)") % told,
        caption=_("What was not trained on, by reason, the most frequent first."),
        template="metrics/drawings/bars.html",
        chart=drawn,
        head=[_("Reason"), _("How many"), _("Share")],
        rows=[
            [
                Cell(reason),
                Cell(whole(n), n, number=True),
                Cell(percent(n / total), n / total, number=True),
            ]
            for reason, n in counts
        ],
        query=query,
    )


def _number(value: float | None, unit: str) -> Cell:
    return Cell(written(value, unit), "" if value is None else value, number=True)


def _words(label: str, value: float | None, low: float | None, high: float | None, unit: str) -> str:
    ends = written_interval(low, high, unit)
    return f"{label}: {written(value, unit)}" + (f" ({ends})" if ends else "")


PARTS: Mapping[str, Detail] = {
    "steps": _steps,
    "reasons": _reasons,
    "curve": _curve,
    "reliability": _reliability,
    "risk_coverage": _risk_coverage,
    "histogram": _histogram,
    "by_solve_rate": _by_solve_rate,
}
FIGURES: dict[str, tuple[Role, Build]] = {"detail": (Role.VIEWER, detail_figure)}
