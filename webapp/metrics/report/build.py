"""What the report of an iteration says, gathered in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models.fields.json import KT
from django.utils import timezone, translation

from loop.stages import Stage
from webapp.iterations import page
from webapp.iterations.flips import pair_of
from webapp.iterations.models import Iteration
from webapp.metrics.alarms_page import alarms_of
from webapp.metrics.charts import Measured, bands, bars
from webapp.metrics.measures import groups
from webapp.metrics.metrics_page import Row, groups_shown
from webapp.metrics.report import decided, origins
from webapp.metrics.report.document import (
    Alert,
    Block,
    Bullets,
    Drawing,
    Example,
    Report,
    Section,
    Table,
    Text,
)
from webapp.metrics.templatetags.numbers import percent, whole, written_interval
from webapp.metrics.values import Readings, Turn, readings_of, simulated_in, turns_of
from webapp.registry.comparing import both_page, outcomes_shown

EXAMPLES = 5  # each way
LOOKED_BACK = 20  # iterations before this one


def report_of(iteration: Iteration, *, told: bool = True) -> Report:
    """``iteration`` comes from `webapp.iterations.page.iteration_for`.

    ``told``: false for whoever may have to compare its challenger blindly: what was found on held-out prompts
    is left out then, as on the iteration's page.
    """
    with translation.override("en"):
        verdict, tone, headline = decided.verdict(iteration)
        return Report(
            project=iteration.project.name,
            title=f"{iteration} of {iteration.project.name}",
            verdict=verdict,
            tone=tone,
            headline=headline,
            made=f"{timezone.now():%Y-%m-%d %H:%M} UTC",
            sections=[section for section in _sections(iteration, told) if section.blocks],
        )


def _sections(iteration: Iteration, told: bool) -> Iterator[Section]:
    turns = [t for t in turns_of(iteration.project) if t.number <= iteration.number][-LOOKED_BACK:]
    readings = readings_of(iteration.project, turns)
    here = next(t for t in turns if t.pk == iteration.pk)
    if not told:
        yield Section(
            "Not shown", [Text("People are comparing both models blindly: held-out outcomes wait.")]
        )
    if simulated := simulated_in(readings, [here]):
        said = f"{whole(simulated.n)} of {whole(simulated.of)} answers were given by programs"
        yield Section("Simulated", [Text(f"{said} that stand in for people.")])
    yield Section("Is it better?", _history(turns, readings) if told else [])
    yield Section("Alarms", _alarms(iteration, told))
    yield Section("The gate's decision", decided.blocks(iteration))
    yield Section("What became of the samples", _funnel(iteration))
    yield Section("Metrics", list(_metrics(iteration, turns, readings, here, told)))
    yield Section("What people did", origins.people(iteration))
    yield Section("Recipe", origins.recipe(iteration))
    yield Section("Control arm", decided.controls(iteration) if told else [])
    yield Section("Prompts that changed", _examples(iteration) if told else [])
    yield Section("Where it comes from", origins.lineage(iteration))
    yield Section("How it went", origins.moves(iteration))


def _history(turns: list[Turn], readings: Readings) -> list[Block]:
    values = readings.get("heldout_after", {})
    marks, rows = [], []
    for turn in turns:
        found = values.get(turn.pk)
        if found is None or found.value is None or found.low is None or found.high is None:
            continue
        kind = "champion" if turn.kind == "promoted" else turn.kind
        marks.append(Measured(str(turn.number), found.value, found.low, found.high, kind))
        ends = written_interval(found.low, found.high, found.unit)
        rows.append((str(turn.number), turn.recipe, turn.kind, percent(found.value), ends))
    if not marks:
        return []
    caption = (
        "Share of held-out prompts answered right by each iteration's challenger, with its 95 % interval."
        " Filled: promoted. Dashed: held. Dotted: control arm."
    )
    return [
        Drawing("metrics/bands.html", bands(marks), "Held-out by iteration", caption),
        Table(("Iteration", "Recipe", "Came to", "Held-out", "95 % interval"), rows, (3, 4), twin=True),
    ]


def _alarms(iteration: Iteration, told: bool) -> list[Block]:
    rows = alarms_of(iteration, told=told)
    if not rows:
        return [Text("None went off.")] if iteration.stage == Stage.DONE.value else []
    return [
        Alert(
            row.title,
            row.alarm.level,
            row.text,
            row.what_to_do,
            (row.alarm.note or "no note") if row.dealt_with else "",
        )
        for row in rows
    ]


def _funnel(iteration: Iteration) -> list[Block]:
    found = page.funnel_of(iteration.counts)
    chart = bars([(bar.label, bar.count, bar.note) for bar in found], parts=["Verified"])
    if chart is None:
        return []
    steps = [
        (b.label, whole(b.count), percent(b.kept, 0) if b.kept is not None else "", b.note) for b in found
    ]
    blocks: list[Block] = [
        Drawing("metrics/report_bars.html", chart, "Funnel from samples to training rows"),
        Table(("Step", "Count", "Kept", "What it counts"), steps, (1, 2), twin=True),
    ]
    if dropped := page.dropped_of(iteration.counts):
        rows = [(why, whole(n)) for why, n in dropped]
        blocks.append(Table(("Left out because", "Count"), rows, (1,)))
    return blocks


def _metrics(
    iteration: Iteration, turns: list[Turn], readings: Readings, here: Turn, told: bool
) -> Iterator[Block]:
    hidden = {group.GROUP for group in groups() if Stage.EVALUATE in group.MEASURES}
    marked = iteration.metrics.filter(detail__has_key="interval")
    kinds = dict(marked.values_list("name", KT("detail__interval")))  # of intervals that are no bootstrap
    rows: list[tuple[str, ...]] = []
    for group in groups_shown(iteration.project, turns, readings, at=here):
        if told or group.name not in hidden:
            rows += [(group.name,), *(_metric(row, kinds.get(row.name)) for row in group.rows)]
    if rows:
        yield Table(("Metric", "Value", "95 % interval", "n", "Change", "Against"), rows, (1, 2, 3, 4))


def _metric(row: Row, kind: str | None) -> tuple[str, ...]:
    ends = f"{row.ends} ({kind})" if row.ends and kind else row.ends
    change = f"{row.by} ({row.word})" if row.change else ""
    against = f"iteration {row.against.number}" if row.against else ""
    return (row.title, row.text, ends, whole(row.reading.n), change, against)


def _examples(iteration: Iteration) -> list[Block]:
    if (pair := pair_of(iteration)) is None:
        return []
    blocks: list[Block] = []
    for now in ("right", "wrong"):
        found, rows = both_page(pair, outcomes_shown(pair, f"turned_{now}"), 1, EXAMPLES)
        for both in rows:
            texts = [side.response.text if side.response else "The response was not kept."
                     for side in (both.before, both.after)]  # fmt: skip
            prompt = both.after.prompt
            blocks.append(Example(now, prompt.text, prompt.reference or "", *texts))
        if (more := found.paginator.count - len(rows)) > 0:
            blocks.append(Bullets([f"{more:,} more turned {now}."]))
    return blocks
