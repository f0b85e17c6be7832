"""A dataset version's card: what the data is, where it comes from and what it must not be taken for.

Sections follow Gebru et al., "Datasheets for Datasets" (2018, arXiv:1803.09010), as far as a program knows
the answers; what it does not know it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far people agreed on tasks of one kind; ``alpha`` is None where it is not defined."""

    kind: str
    tasks: int
    same: float | None
    alpha: float | None


@dataclass(frozen=True, slots=True)
class Card:
    project: str
    number: int
    note: str
    sha256: str
    rows: int
    made: str  # when, ISO 8601
    by: str  # "" = by the loop
    iteration: int | None
    base: str
    manifest: Mapping[str, Any]
    agreement: Sequence[Agreement]
    models: Sequence[str]  # names of the versions trained on it


def data_card(card: Card) -> str:
    """The card as Markdown."""
    m = card.manifest
    parts = [
        f"# Dataset version {card.number} of {_plain(card.project)}",
        _plain(card.note),
        _facts(card),
        "## What it is",
        (
            "Rows that a language model is trained on, derived from what the project's model wrote, what"
            " people said of it and what checkers found. They are of train prompts only: the database"
            " refuses others."
        ),
        _table("Rows by kind", m.get("kinds", {})),
        "## Where it comes from",
        _table("Accepted by", m.get("accepted_by", {})),
        _table("By source (replayed: from an earlier iteration)", m.get("sources", {})),
        _people(m),
        _table("Rows by version of the guidelines (0: none in force)", m.get("guidelines", {})),
        _agreement(card.agreement),
        "## How old it is",
        _ages(m),
        "## What was left out",
        _table("Not derived from what there was", m.get("dropped", {})),
        _table("Derived, and left out of this version", m.get("left_out", {})),
        _weights(m),
        "## Held-out data",
        _leak(m),
        "## What is not known",
        (
            "Licences and origins of the prompts were not recorded; look where they were imported from before"
            " the data leaves your house. Nothing was screened for names or other personal data. People's"
            " agreement says how alike they judge, not how right."
        ),
        "## Used by",
        "\n".join(f"- {_plain(name)}" for name in card.models) or "No model version was trained on it yet.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _plain(text: str) -> str:
    """Text of people as one line that Markdown takes for text."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in " ".join(text.split()))


def _facts(card: Card) -> str:
    made = f"{card.made} by {_plain(card.by) or 'the loop'}"
    facts = [
        ("rows", f"{card.rows}"),
        ("prompts", str(card.manifest.get("prompts", "not counted"))),
        ("frozen", made),
        ("iteration", str(card.iteration) if card.iteration else "none: frozen by hand"),
        ("base model of the project", f"`{card.base}`"),
        ("sha256 of the rows in order", f"`{card.sha256}`"),
    ]
    return "\n".join(f"- {name}: {value}" for name, value in facts)


def _table(title: str, counts: Mapping[str, Any]) -> str:
    if not counts:
        return ""
    lines = [f"| {title} | rows |", "|---|---:|"]
    lines += [
        f"| {_plain(str(name)).replace('_', ' ').replace(chr(92) + ' ', ' ')} | {n} |"
        for name, n in counts.items()
    ]
    return "\n".join(lines)


def _people(m: Mapping[str, Any]) -> str:
    if "answered" not in m:
        return "How many rows rest on people's answers was not counted when this version was frozen."
    simulated = m["simulated"]
    said = f"{m['answered']} rows rest on answers given in the annotation workspace"
    if simulated:
        return f"{said}; **{simulated} of them on answers of simulated annotators, which are programs.**"
    return f"{said}, none of them on simulated annotators'."


def _agreement(found: Sequence[Agreement]) -> str:
    if not found:
        return "Agreement is unknown: no task behind these rows was answered by two people."
    lines = [
        "| Tasks behind the rows with two answers or more | tasks | pairs alike | alpha |",
        "|---|---:|---:|---:|",
    ]
    for a in found:
        same = "–" if a.same is None else f"{100 * a.same:.1f} %"
        alpha = "not defined" if a.alpha is None else f"{a.alpha:.2f}"
        lines.append(f"| {a.kind.replace('_', ' ')} | {a.tasks} | {same} | {alpha} |")
    return "\n".join(lines)


def _ages(m: Mapping[str, Any]) -> str:
    if "ages" not in m:
        return "Ages were not counted when this version was frozen."
    why = (
        "Age counts champions: 0 was written by the one in use then, 1 by the one before, and so on."
        " What people wrote does not age; of what was imported without a model the age is unknown."
    )
    return f"{why}\n\n{_table('Age', m['ages'])}"


def _weights(m: Mapping[str, Any]) -> str:
    said = []
    if m.get("shares"):
        said.append(
            "Wanted shares: " + ", ".join(f"{name} {share:g}" for name, share in m["shares"].items()) + "."
        )
    if m.get("missing"):
        said.append(f"No rows were there of: {', '.join(m['missing'])}; the other shares grew.")
    if m.get("weights"):
        said.append(
            "Weights in the loss are multiplied by source: "
            + ", ".join(f"{name} {factor:g}" for name, factor in m["weights"].items())
            + "."
        )
    return " ".join(said)


def _leak(m: Mapping[str, Any]) -> str:
    leak = m.get("leak")
    families = "A family of prompts (alike but for case, marks and spacing) lives in one split only."
    if not leak:
        return f"{families} Near-copies were not looked for when this version was frozen."
    if not leak["ngram"]:
        return f"{families} Looking for near-copies was switched off."
    return (
        f"{families} {leak['checked']} train prompts were compared with {leak['compared']} held-out and probe"
        f" prompts: {leak['prompts']} held {100 * leak['share']:g} % or more of one's runs of"
        f" {leak['ngram']} words, and their {leak['rows']} rows were left out."
        " Texts of responses were not compared."
    )
