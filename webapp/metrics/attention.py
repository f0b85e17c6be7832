"""What needs somebody's attention in a project, the most urgent first, each with the place to act."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loop.stages import Stage, Status
from webapp.annotate.statements import row_of
from webapp.metrics.overview import Turn, open_turn
from webapp.metrics.system_page import GONE_AFTER, STUCK_AFTER
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least

MOST = 100  # counted up to here
MOST_ALARMS = 4  # named one by one
WAITS = timedelta(seconds=60)  # a unit that waits longer is nobody's

# Each part is a look at an index of few rows; one statement for all.
_STANDING = """
SELECT
 (SELECT count(*) FROM (SELECT 1 FROM annotate_flag
   WHERE project_id = %(project)s AND resolved_at IS NULL LIMIT %(most)s) f),
 (SELECT count(*) FROM (SELECT 1 FROM annotate_annotationtask
   WHERE project_id = %(project)s AND answers > 0 AND NOT reviewed AND purpose = 'label' AND disagreement > 0
     AND (iteration_id IS NULL OR iteration_id = ANY(%(collecting)s::bigint[])) LIMIT %(most)s) d),
 (SELECT count(*) FROM iterations_workunit
   WHERE project_id = %(project)s AND state = 'running' AND leased_until < %(stuck)s),
 (SELECT array_agg(DISTINCT queue::text) FROM iterations_workunit
   WHERE project_id = %(project)s AND state = 'queued' AND NOT held AND created_at < %(waits)s),
 (SELECT array_agg(DISTINCT queue::text) FROM metrics_workerbeat WHERE seen_at > %(gone)s)
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a project stands with its leads and machines. Counts end at `MOST`."""

    flags: int = 0
    disputed: int = 0
    stuck: int = 0
    waiting: frozenset[str] = frozenset()  # queues in which its units wait
    served: frozenset[str] = frozenset()  # queues that some live worker serves

    @property
    def unserved(self) -> list[str]:
        return [] if "several" in self.served else sorted(self.waiting - self.served)


@dataclass(frozen=True, slots=True)
class Item:
    """``level``: bad, warn or info. ``more``: what to do about it."""

    level: str
    title: str
    href: str
    action: str
    more: str = ""

    @property
    def sign(self) -> str:
        return {"bad": "!", "warn": "△", "info": "◐"}[self.level]


def standing_of(project: Project, turns: Sequence[Turn]) -> Standing:
    """One query, for leads."""
    now = timezone.now()
    collecting = [t.iteration.pk for t in turns if t.iteration.stage == Stage.ANNOTATE.value]
    values: dict[str, Any] = {
        "project": project.pk, "most": MOST, "collecting": collecting,
        "stuck": now - STUCK_AFTER, "waits": now - WAITS, "gone": now - GONE_AFTER,
    }  # fmt: skip
    flags, disputed, stuck, waiting, served = row_of(_STANDING, values) or (0, 0, 0, None, None)
    return Standing(flags, disputed, stuck, frozenset(waiting or ()), frozenset(served or ()))


def attention_of(
    project: Project, turns: Sequence[Turn], standing: Standing, waiting: str = ""
) -> list[Item]:
    """Everything that needs attention. ``waiting``: what the open iteration waits for people with.

    Alarms are for everybody, the rest is for those who can do something about it.
    """
    found = list(_alarms(project, turns))
    if at_least(project.my_role, Role.LEAD):
        found += [*_machines(project, turns, standing), *_people(project, standing)]
    now = open_turn(turns)
    if now and now.iteration.status == Status.WAITING.value and waiting:
        found.append(Item("info", waiting, _iteration(project, now), _("Look at it")))
    return sorted(found, key=lambda item: ("bad", "warn", "info").index(item.level))


def _iteration(project: Project, turn: Turn) -> str:
    return reverse("iteration", args=[project.slug, turn.iteration.number])


def _alarms(project: Project, turns: Sequence[Turn]) -> Iterator[Item]:
    # Of every iteration the first, newest first, before the second of any: none is hidden by another's many.
    each = [(t, enumerate(row for row in t.alarms if not row.dealt_with)) for t in turns]
    rows = [(row.alarm.level != "bad", place, turn, row) for turn, mine in each for place, row in mine]
    rows.sort(key=lambda found: found[:2])
    alarms = reverse("alarms", args=[project.slug])
    for *_place, turn, row in rows[:MOST_ALARMS]:
        title = _("{alarm} in iteration {n}").format(alarm=row.title, n=turn.iteration.number)
        more = f"{row.text} {row.what_to_do}".strip()
        yield Item(row.alarm.level, title, f"{alarms}#alarm-{row.alarm.pk}", _("Deal with it"), more)
    if left := rows[MOST_ALARMS:]:
        title = ngettext("%(n)s more alarm", "%(n)s more alarms", len(left)) % {"n": len(left)}
        level = "bad" if any(row.alarm.level == "bad" for *_place, row in left) else "warn"
        yield Item(level, title, alarms, _("All alarms"))


def _machines(project: Project, turns: Sequence[Turn], standing: Standing) -> Iterator[Item]:
    now = open_turn(turns)
    if now and now.iteration.status == Status.FAILED.value:
        title = _("Iteration {n} failed in {stage}").format(
            n=now.iteration.number, stage=_(now.iteration.stage)
        )
        yield Item("bad", title, _iteration(project, now), _("See and retry"), now.iteration.problem)
    place = _iteration(project, now) if now else reverse("runs", args=[project.slug])
    for queue in standing.unserved:
        title = _("Nobody serves the queue “{queue}”").format(queue=queue)
        more = _("Units wait there and no worker takes them: start one.")
        yield Item("bad", title, place, _("Look at it"), more)
    if standing.stuck:
        title = ngettext("%(n)s unit is stuck", "%(n)s units are stuck", standing.stuck) % {
            "n": standing.stuck
        }
        yield Item("bad", title, place, _("Look at it"), _("The lease ran out and no worker took it up."))


def _people(project: Project, standing: Standing) -> Iterator[Item]:
    def counted(n: int) -> str:
        return f"{MOST}+" if n >= MOST else str(n)

    if n := standing.disputed:
        title = ngettext("%(n)s disagreement waits", "%(n)s disagreements wait", n) % {"n": counted(n)}
        yield Item("warn", title, f"{reverse('review', args=[project.slug])}?state=disputed", _("Review"))
    if n := standing.flags:
        title = ngettext("%(n)s flag is open", "%(n)s flags are open", n) % {"n": counted(n)}
        yield Item("warn", title, reverse("inbox", args=[project.slug]), _("Open the inbox"))
