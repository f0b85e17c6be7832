"""What a dataset version would hold, and why not more: nothing is written here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import Count, Max, QuerySet

from loop.curate.leakage import HeldOut
from loop.curate.mixture import LEAKED, Mixture, Row, mixture
from loop.curate.staleness import Champions
from loop.recipe_parts import CuratePart
from loop.records import Split
from webapp.curate.models import Example, Writer
from webapp.projects.models import Project, Prompt

REJECTED = "rejected by a lead"
LEAKS_LISTED = 50  # in a manifest
_MEASURING = (Split.HELDOUT.value, Split.PROBE.value)


@dataclass(frozen=True, slots=True)
class LeakReport:
    """``found``: train prompt -> (the held-out or probe prompt it is a near-copy of, share of its runs)."""

    ngram: int
    share: float
    compared: int = 0  # held-out and probe prompts
    checked: int = 0  # train prompts
    found: dict[int, tuple[int, float]] = field(default_factory=dict)

    def facts(self, rows: int) -> dict[str, Any]:
        listed = sorted(self.found.items(), key=lambda leak: (-leak[1][1], leak[0]))[:LEAKS_LISTED]
        return {
            "ngram": self.ngram,
            "share": self.share,
            "compared": self.compared,
            "checked": self.checked,
            "prompts": len(self.found),
            "rows": rows,
            "found": [{"prompt": pk, "heldout": other, "share": round(s, 4)} for pk, (other, s) in listed],
        }


@dataclass(frozen=True, slots=True)
class Composition:
    part: CuratePart
    mixture: Mixture
    leak: LeakReport
    considered: int
    rejected: int
    seed: int

    @property
    def dropped(self) -> dict[str, int]:
        """Rows left out, by reason."""
        rejected = {REJECTED: self.rejected} if self.rejected else {}
        return {**self.mixture.dropped, **rejected}

    @property
    def table(self) -> dict[str, dict[str, int]]:
        """Kind -> source -> rows."""
        counts = Counter((row.kind, row.source) for row in self.mixture.rows)
        table: dict[str, dict[str, int]] = {}
        for (kind, source), n in sorted(counts.items()):
            table.setdefault(kind, {})[source] = n
        return table

    def manifest(self) -> dict[str, Any]:
        return {
            **self.mixture.facts(),
            "table": self.table,
            "considered": self.considered,
            "left_out": self.dropped,
            "leak": self.leak.facts(self.mixture.dropped.get(LEAKED, 0)),
            "shares": dict(self.part.shares),
            "weights": dict(self.part.weights),
            "limits": {
                "max_age": self.part.max_age,
                "max_rows_per_prompt": self.part.max_rows_per_prompt,
                "replay_share": self.part.replay_share,
            },
            "seed": self.seed,
        }


def compose(
    *,
    project: Project,
    fresh: QuerySet[Example],
    replayed: QuerySet[Example] | None = None,
    order: Sequence[int] = (),
    part: CuratePart,
    seed: int = 0,
    champion_id: int | None = None,
) -> Composition:
    """Choose among ``replayed`` and ``fresh`` examples, so and by id; with ``order`` (ids), the fresh
    ones that it lists, as it lists them.

    Memory grows by a few hundred bytes per row, whatever its text. Ages count from ``champion_id``, or else
    from the project's champion. A text that a lead rejected does not come in again with another example.
    """
    ages = ages_of(project, champion_id)
    rejected = set(
        Example.objects.filter(project=project, rejected__isnull=False)
        .exclude(text_sha="")
        .values_list("text_sha", flat=True)
    )
    rows: list[Row] = []
    turned_away = 0
    for examples, old in ((replayed, True), (fresh, False)):
        if examples is None:
            continue
        read, out = _rows(examples, ages, rejected, replayed=old)
        turned_away += out
        if order and not old:
            place = {pk: i for i, pk in enumerate(order)}
            read = sorted((row for row in read if row.pk in place), key=lambda row: place[row.pk])
        rows += read
    leak = leaks_of(project, {row.prompt_id for row in rows}, part)
    mixed = mixture(rows, part, seed=seed, leaked=leak.found)
    return Composition(part, mixed, leak, len(rows) + turned_away, turned_away, seed)


_READ = (
    "pk", "row_sha", "text_sha", "kind", "accepted_by", "prompt_id", "model_version_id", "writer",
    "rejected__rejection_id",
)  # fmt: skip


def _rows(
    examples: QuerySet[Example], ages: dict[int, int], rejected: set[str], *, replayed: bool
) -> tuple[list[Row], int]:
    rows, out = [], 0
    read = examples.order_by("id").values_list(*_READ)
    for pk, sha, text, kind, by, prompt, version, writer, rejection in read.iterator(chunk_size=5000):
        if rejection or text in rejected:
            out += 1
            continue
        person = writer == Writer.PERSON
        age = None if person else ages.get(version)
        rows.append(Row(pk, sha, text or sha, kind, by, prompt, age, person, replayed))
    return rows, out


def ages_of(project: Project, champion_id: int | None = None) -> dict[int, int]:
    """Model version -> how many champions ago it wrote. Empty without a champion."""
    now = champion_id or project.champion_id
    if now is None:
        return {}
    moves = list(
        project.promotions.filter(kind__in=("promoted", "rolled_back"), to_version__role="policy")
        .order_by("id")
        .values_list("from_version_id", "to_version_id", "created_at")
    )
    order = [moves[0][0] or moves[0][1] if moves else now, *(to for _, to, _ in moves)]
    versions = project.model_versions.values_list("pk", "created_at")
    made_under = [(pk, 1 + sum(at <= made for _, _, at in moves)) for pk, made in versions]
    return Champions(order).ages(now, made_under)


# --------------------------------------------------------------------------------------------- near-copies
class _Checked:
    """What this process knows of a project's near-copies: prompts do not change, so each is compared once."""

    def __init__(self, held: HeldOut) -> None:
        self.held = held
        self.checked: set[int] = set()
        self.found: dict[int, tuple[int, float]] = {}


@lru_cache(maxsize=4)
def _checked(project_id: int, length: int, share: float, _newest: int, _count: int) -> _Checked:
    prompts = Prompt.objects.filter(project=project_id, split__in=_MEASURING).order_by("id")
    texts = prompts.values_list("pk", "text").iterator(chunk_size=5000)
    return _Checked(HeldOut(texts, length=length, share=share))


def leaks_of(project: Project, prompt_ids: Iterable[int], part: CuratePart) -> LeakReport:
    """Near-copies of held-out and probe prompts among these train prompts."""
    if not part.leak_ngram:
        return LeakReport(0, part.leak_share)
    measuring = Prompt.objects.filter(project=project, split__in=_MEASURING)
    state = measuring.aggregate(newest=Max("pk"), count=Count("pk"))
    known = _checked(project.pk, part.leak_ngram, part.leak_share, state["newest"] or 0, state["count"])
    asked = set(prompt_ids)
    for pk, text in _texts(asked - known.checked):
        if near := known.held.nearest(text):
            known.found[pk] = (near.heldout_id, near.share)
        known.checked.add(pk)
    found = {pk: near for pk, near in known.found.items() if pk in asked}
    return LeakReport(part.leak_ngram, part.leak_share, len(known.held), len(asked), found)


def _texts(prompt_ids: set[int]) -> Iterator[tuple[int, str]]:
    ids = sorted(prompt_ids)
    for start in range(0, len(ids), 5000):
        part = ids[start : start + 5000]
        yield from Prompt.objects.filter(pk__in=part).values_list("pk", "text")


# ---------------------------------------------------------------------------------- the answers behind rows
_BEHIND = """
SELECT count(DISTINCT t.example_id),
       count(DISTINCT t.example_id) FILTER (WHERE u.is_simulated)
FROM curate_example_annotations t
JOIN annotate_annotation a ON a.id = t.annotation_id JOIN accounts_user u ON u.id = a.user_id
WHERE t.example_id = ANY(%s)
"""
_GUIDELINES = """
SELECT coalesce(g.number, 0), count(DISTINCT t.example_id)
FROM curate_example_annotations t
JOIN annotate_annotation a ON a.id = t.annotation_id
LEFT JOIN projects_guidelineversion g ON g.id = a.guideline_version_id
WHERE t.example_id = ANY(%s) GROUP BY 1 ORDER BY 1
"""


def rests_on(example_ids: list[int]) -> dict[str, Any]:
    """How many rows rest on people's answers, on simulated people's, and under which guidelines (0: none)."""
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, [example_ids])
        answered, simulated = cursor.fetchone()
        cursor.execute(_GUIDELINES, [example_ids])
        guidelines = {str(number): n for number, n in cursor.fetchall()}
    return {"answered": answered, "simulated": simulated, "guidelines": guidelines}
