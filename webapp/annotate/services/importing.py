"""Bulk import of tasks: a file of prompts with solutions (or with responses to compare) becomes tasks.

Two halves run side by side. A helper process reads lines (`webapp.annotate.intake`); this one looks up what
is here already and hands PostgreSQL finished rows by COPY. One chunk of lines is in memory at a time, and
everything happens in one transaction.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

from django.db import transaction

from loop.annotate.formats import exchange_names
from webapp.accounts.models import User
from webapp.annotate.intake import Intake, Order, take_in
from webapp.annotate.models import TaskKind
from webapp.annotate.services.queues import cursors_forget
from webapp.annotate.services.rows import ParentGone
from webapp.annotate.services.storing import Counts, Store
from webapp.projects.models import Project
from webapp.projects.services.prompts import imports_wait
from webapp.projects.services.setup import audit_record

CHUNK = 2 * 2**20  # bytes of lines read at a time
MOST_NAMED = 1000  # unusable lines that a report names; all are counted


class TasksRefused(ValueError):
    """Tasks that cannot be imported as asked; nothing was stored. ``bad``: the unusable lines, from 1."""

    def __init__(self, why: str, bad: Sequence[tuple[int, str]] = ()) -> None:
        super().__init__(why)
        self.bad = list(bad)


@dataclass(slots=True)
class TasksReport:
    """What an import did, or with ``dry_run`` would do."""

    read: int = 0  # usable lines
    imported: int = 0  # tasks made
    already: int = 0  # lines whose task was here before, from an earlier line or import
    prompts: int = 0  # prompts made; the others were here before
    answers: int = 0  # labels stored as answers
    gold: int = 0  # tasks whose answer is known
    unusable: int = 0  # lines left out
    bad: list[tuple[int, str]] = field(default_factory=list)  # the first of them: line, reason
    dry_run: bool = False

    def add(self, counts: Counts) -> None:
        for name in ("read", "imported", "already", "prompts", "answers", "gold"):
            setattr(self, name, getattr(self, name) + getattr(counts, name))
        self.unusable += len(counts.bad)
        self.bad += counts.bad[: MOST_NAMED - len(self.bad)]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def tasks_import(
    *,
    project: Project,
    stream: BinaryIO,
    format: str = "plain",  # noqa: A002
    kind: str = TaskKind.STEP_CRITIQUE,
    answers_by: User | None = None,
    gold: bool = False,
    skip_bad: bool = False,
    dry_run: bool = False,
    source: str = "",
    by: User | None = None,
    chunk: int = CHUNK,
) -> TasksReport:
    """Make one task per line, all or none; a line that was imported before adds nothing.

    A line's labels stay beside its task unless ``answers_by`` names who gave them (they become that person's
    answers) or ``gold`` makes them the known answers of gold tasks. ``skip_bad`` leaves out unusable lines
    instead of refusing the file. ``chunk``: bytes of lines read at a time.

    Raises:
        TasksRefused: an unknown format or kind, unusable lines without ``skip_bad``, or something that the
            lines refer to was deleted meanwhile.
    """
    if format not in exchange_names():
        raise TasksRefused(f"There is no format {format!r}; there are: {', '.join(exchange_names())}.")
    if kind not in (TaskKind.STEP_CRITIQUE, TaskKind.PREFERENCE):
        raise TasksRefused(
            f"Tasks of the kind {kind!r} cannot be imported: they are about critiques made here."
        )
    if gold and answers_by is not None:
        raise TasksRefused("Labels become either somebody's answers or gold, not both.")
    report = TasksReport(dry_run=dry_run)
    order = Order(project.pk, format, str(kind), labels=gold or answers_by is not None)
    with transaction.atomic():
        imports_wait(project)
        store = Store(project, order, answers_by, gold=gold)
        for part in _read(stream, order, chunk):
            try:
                counts = store.chunk(part)
            except ParentGone as gone:
                raise TasksRefused(str(gone)) from gone
            if counts.bad and not skip_bad:
                raise TasksRefused(_refusal(counts.bad), counts.bad)
            report.add(counts)
        if dry_run:
            transaction.set_rollback(True)
        else:
            if report.imported and not gold:
                cursors_forget(
                    project_id=project.pk, kind=kind, above=0.0
                )  # their priority; ids are the newest
            data = {k: v for k, v in report.as_dict().items() if k not in ("bad", "dry_run")}
            audit_record(project=project, actor=by, verb="tasks imported", target=source, data=data)
    return report


def _refusal(bad: Sequence[tuple[int, str]]) -> str:
    line, why = bad[0]
    more = f" {len(bad) - 1} more of the lines around it cannot be used either." if len(bad) > 1 else ""
    return f"line {line}: {why}.{more}"


# ------------------------------------------------------------------------------- reading, side by side
def _read(stream: BinaryIO, order: Order, size: int) -> Iterator[Intake]:
    """The file, a chunk at a time; a helper process reads ahead by two chunks.

    A file of one chunk is read here: a helper takes longer to start than that.
    """
    chunks = _chunks(stream, size)
    first = next(chunks, None)
    second = next(chunks, None)
    if first is None:
        return
    if second is None:
        yield take_in(*first, order)
        return
    # spawn: a copy of this process would share its database connection and threads
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as helper:
        ahead: list[Future[Intake]] = [helper.submit(take_in, *second, order)]
        try:
            if (part := next(chunks, None)) is not None:
                ahead.append(helper.submit(take_in, *part, order))
            yield take_in(*first, order)  # while the helper starts
            while ahead:
                done = ahead.pop(0).result()
                if (part := next(chunks, None)) is not None:
                    ahead.append(helper.submit(take_in, *part, order))
                yield done
        finally:
            helper.shutdown(cancel_futures=True)


def _chunks(stream: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines of about ``size`` bytes, with the number of the first."""
    line, rest = 1, b""
    while data := stream.read(size):
        whole, cut, after = data.rpartition(b"\n")
        if not cut:  # a line longer than this
            rest += data
            continue
        yield rest + whole, line
        line += rest.count(b"\n") + whole.count(b"\n") + 1
        rest = after
    if rest:
        yield rest, line
