"""The tables of docs/dashboards.md, made of the rules and metrics themselves.

    .venv/bin/python -m webapp.metrics.reference

writes them anew; a test fails while they differ.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from loop.evaluate.alarms import RULES, Rule

PAGE = Path(__file__).parents[2] / "docs" / "dashboards.md"


def alarms_table() -> str:
    rows = [
        (f"{'!' if rule.level == 'bad' else '△'} {rule.title}", rule.formula, _limit(rule),
         rule.stage.value, rule.source, rule.what_to_do)
        for rule in RULES.values()
    ]  # fmt: skip
    return _table(("alarm", "goes off when", "limit", "known after", "from", "what to do"), rows)


def _limit(rule: Rule) -> str:
    if rule.limit is None:
        return ""
    if rule.unit == "share":
        return f"{100 * rule.limit:g} %"
    if rule.unit == "points":
        return f"{100 * rule.limit:g} points"
    return f"{rule.limit:g}"


def metrics_table() -> str:
    from webapp.metrics.measures import groups

    rows = []
    for group in groups():
        stages = ", ".join(stage.value for stage in group.MEASURES)
        rows.append((f"**{group.GROUP}**", f"after {stages}", "", "", ""))
        rows += [(f"`{m.name}`", m.title, m.formula, m.unit, m.source) for m in group.METRICS]
    return _table(("name", "metric", "formula", "unit", "from"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def rewritten(page: str) -> str:
    """The page with both tables as they should be, between their marks."""
    for mark, table in (("alarms", alarms_table()), ("metrics", metrics_table())):
        before, rest = page.split(f"<!-- {mark} -->")
        _, after = rest.split(f"<!-- /{mark} -->")
        page = f"{before}<!-- {mark} -->\n{table}\n<!-- /{mark} -->{after}"
    return page


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings.base")
    django.setup()
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
