"""A report as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from webapp.metrics.report.document import Alert, Block, Bullets, Drawing, Example, Report, Table, Text

MARKS = "\\`*_[]<>#|~&$"
# What a line that begins so would be: a list, a rule, or the line before it a heading.
BEGINS = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[-+](?:\s|$)|-+$|=+$))")
# Whom or where a site that shows Markdown would link to: an escape does not keep it from that.
LINKED = re.compile(r"@|:(?=//)|\bwww(?=\.)", re.IGNORECASE)
JOINER = "\u2060"  # neither seen nor a place to break the line


def markdown(report: Report) -> str:
    """The report as a file."""
    parts = [
        f"# {plain(report.title)}",
        f"**{plain(report.verdict)}.** {plain(report.headline)}",
        f"Project {plain(report.project)} · report made {report.made}",
    ]
    for section in report.sections:
        parts.append(f"## {plain(section.title)}")
        parts += [text for block in section.blocks if (text := _block(block))]
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Text of people as one line that Markdown takes for text."""
    line = " ".join(re.split(r"[^\S\u202f\xa0]+", text.strip()))  # a number's thin spaces stay
    line = "".join(f"\\{c}" if c in MARKS else c for c in line)
    return LINKED.sub(rf"\g<0>{JOINER}", BEGINS.sub(r"\1\\", line))


def fenced(text: str) -> str:
    """Text of a model as a block that it cannot end: the fence is longer than any run of its own."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _block(block: Block) -> str:
    match block:
        case Text():
            return plain(block.text)
        case Bullets():
            return "\n".join(f"- {plain(item)}" for item in block.items)
        case Table():
            return _table(block)
        case Alert():
            return _alert(block)
        case Example():
            return _example(block)
        case Drawing():
            return ""


def _table(table: Table) -> str:
    rule = ["---:" if i in table.numbers else "---" for i in range(len(table.head))]
    lines = [_row(map(plain, table.head)), _row(rule), *(_row(_cells(table, row)) for row in table.rows)]
    title = [f"**{plain(table.title)}**", ""] if table.title else []
    return "\n".join([*title, *lines])


def _cells(table: Table, row: Sequence[str]) -> list[str]:
    if len(row) == 1 < len(table.head):  # it heads the rows after it
        return [f"**{plain(row[0])}**", *[""] * (len(table.head) - 1)]
    return [f"`{cell}`" if i in table.codes and cell.isalnum() else plain(cell) for i, cell in enumerate(row)]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _alert(alarm: Alert) -> str:
    parts = [f"**{plain(alarm.title)}** ({plain(alarm.level)}). {plain(alarm.text)}"]
    parts += [f"What to do: {plain(alarm.what_to_do)}"] if alarm.what_to_do else []
    parts += [f"Dealt with: {plain(alarm.dealt_with)}"] if alarm.dealt_with else []
    return "\n".join(f"- {parts[0]}" if i == 0 else f"  {part}" for i, part in enumerate(parts))


def _example(example: Example) -> str:
    parts = [f"### Turned {plain(example.turned)}", fenced(example.prompt)]
    parts += [f"Reference: {plain(example.reference)}"] if example.reference else []
    parts += ["Before:", fenced(example.before), "After:", fenced(example.after)]
    return "\n\n".join(parts)
