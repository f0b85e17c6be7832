"""Putting prompts into a project: all of them or none, each once, a family in one split only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from django.db import connection, transaction

from loop import records
from loop.prompts.families import assign_splits, content_sha, family_hash
from loop.prompts.readers import PromptRow
from loop.records import Split
from loop.verify import checker_names
from webapp.accounts.models import User
from webapp.projects.models import Project, Prompt, PromptFamily
from webapp.projects.services.setup import audit_record

BATCH = 2000
_IMPORTS = 7301  # name space of the advisory locks: one import at a time per project


class ImportRefused(ValueError):
    """Prompts that cannot be stored as asked; nothing was imported. ``line`` is 0 when none is to blame."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {why}" if line else why)
        self.line = line


@dataclass(frozen=True, slots=True)
class Placement:
    """Where imported prompts go: into one split, or by family into several at the given ratios."""

    split: Split | None = None
    ratios: Mapping[Split, float] = field(default_factory=dict)
    seed: int = 0

    @classmethod
    def parse(cls, text: str) -> Placement:
        """Read "heldout" or "train=0.8,heldout=0.2".

        Raises:
            ImportRefused: neither.
        """
        try:
            if "=" not in text:
                return cls(split=Split(text))
            pairs = [part.split("=", 1) for part in text.split(",")]
            return cls(ratios={Split(name.strip()): float(share) for name, share in pairs})
        except ValueError as error:
            raise ImportRefused(
                f"expected train, heldout or probe, or ratios like train=0.8,heldout=0.2; got {text!r}"
            ) from error

    def splits(self, families: list[str]) -> dict[str, Split]:
        """The split of every family.

        Raises:
            ImportRefused: neither a split nor usable ratios.
        """
        if self.split is not None:
            return dict.fromkeys(families, self.split)
        try:
            return assign_splits(families, self.ratios, self.seed)
        except ValueError as error:
            raise ImportRefused(str(error)) from error


@dataclass(slots=True)
class ImportReport:
    """What an import did, or with ``dry_run`` would do. Lines are 1-based lines of the file."""

    read: int = 0
    imported: int = 0
    by_split: dict[str, int] = field(default_factory=dict)
    with_reference: int = 0
    duplicates: list[int] = field(default_factory=list)  # lines whose prompt is here already, word for word
    alike: int = 0  # imported, but a near-copy of another prompt: both share a family, hence a split
    elsewhere: dict[int, str] = field(default_factory=dict)  # line -> the split where its family lives
    dry_run: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Incoming:
    line: int
    messages: list[dict[str, str]]
    text: str
    family: str
    split: Split
    sha: str
    reference: str | None
    verifier: str
    external_id: str
    meta: Mapping[str, Any]


def prompts_import(
    *,
    project: Project,
    rows: Iterable[PromptRow],
    placement: Placement,
    verifier: str = "",
    id_field: str = "",
    dry_run: bool = False,
    source: str = "",
    by: User | None = None,
) -> ImportReport:
    """Store rows of a prompt file, streamed, in one transaction: an error anywhere imports nothing.

    ``verifier`` checks the prompts that have a reference. ``id_field`` names the meta field that is the
    prompt's own id. A prompt that is here already, or whose family lives in another split, is reported
    and left out.

    Raises:
        ImportRefused: unknown verifier, unusable placement, an id that is too long.
        loop.prompts.readers.PromptFileError: from ``rows``, with the line.
    """
    if verifier and verifier not in checker_names():
        raise ImportRefused(f"no checker called {verifier!r}; there are: {', '.join(checker_names())}")
    report = ImportReport(dry_run=dry_run)
    with transaction.atomic():
        for batch in _batches(rows):
            splits = placement.splits([row.family for row in batch])
            incoming = [_from_row(row, splits[row.family], verifier, id_field) for row in batch]
            _store(project, incoming, report)
        if dry_run:
            transaction.set_rollback(True)
        else:
            audit_record(
                project=project,
                actor=by,
                verb="prompts imported",
                target=source,
                data={"imported": report.imported, "duplicates": len(report.duplicates), **report.by_split},
            )
    return report


def prompts_add(
    *, project: Project, records: Iterable[records.Prompt], source: str = "generated", by: User | None = None
) -> ImportReport:
    """Store the loop's prompt records, e.g. generated ones, each in the split and family it names."""
    report = ImportReport()
    with transaction.atomic():
        numbered = enumerate(records, 1)
        while batch := list(islice(numbered, BATCH)):
            _store(project, [_from_record(line, record) for line, record in batch], report)
        audit_record(
            project=project,
            actor=by,
            verb="prompts added",
            target=source,
            data={"imported": report.imported, **report.by_split},
        )
    return report


def _batches(rows: Iterable[PromptRow]) -> Iterator[list[PromptRow]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _from_row(row: PromptRow, split: Split, verifier: str, id_field: str) -> _Incoming:
    meta = dict(row.meta)
    external_id = str(meta.pop(id_field)) if id_field else ""
    if len(external_id) > 200:
        raise ImportRefused(f"the id is {len(external_id)} characters long; 200 are allowed", row.line)
    messages = [{"role": m.role, "content": m.content} for m in row.messages]
    return _Incoming(
        line=row.line,
        messages=messages,
        text=row.text,
        family=row.family,
        split=split,
        sha=content_sha(messages),
        reference=row.reference,
        verifier=verifier if row.reference else "",
        external_id=external_id,
        meta=meta,
    )


def _from_record(line: int, record: records.Prompt) -> _Incoming:
    messages = [{"role": m.role, "content": m.content} for m in record.messages]
    return _Incoming(
        line=line,
        messages=messages,
        text=record.text,
        family=record.family or family_hash(record.text),
        split=record.split,
        sha=content_sha(messages),
        reference=record.reference,
        verifier=record.verifier,
        external_id=record.id,
        meta=dict(record.meta),
    )


def imports_wait(project: Project) -> None:
    """Wait until no other transaction adds prompts to the project, and let none until this one ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [_IMPORTS, project.pk])


def _store(project: Project, batch: list[_Incoming], report: ImportReport) -> None:
    """Insert what is new of one batch, inside the caller's transaction."""
    imports_wait(project)
    report.read += len(batch)
    here = set(
        Prompt.objects.filter(project=project, content_sha__in={p.sha for p in batch}).values_list(
            "content_sha", flat=True
        )
    )
    homes = dict(
        PromptFamily.objects.filter(project=project, family__in={p.family for p in batch}).values_list(
            "family", "split"
        )
    )
    new_families: list[PromptFamily] = []
    new_prompts: list[Prompt] = []
    for prompt in batch:
        if prompt.sha in here:
            report.duplicates.append(prompt.line)
            continue
        home = homes.get(prompt.family)
        if home is not None and home != prompt.split:
            report.elsewhere[prompt.line] = home
            continue
        here.add(prompt.sha)
        if home is None:
            homes[prompt.family] = prompt.split.value
            new_families.append(PromptFamily(project=project, family=prompt.family, split=prompt.split.value))
        else:
            report.alike += 1
        new_prompts.append(_row_of(project, prompt))
    PromptFamily.objects.bulk_create(new_families)
    Prompt.objects.bulk_create(new_prompts)
    _count(report, new_prompts)


def _row_of(project: Project, prompt: _Incoming) -> Prompt:
    return Prompt(
        project=project,
        split=prompt.split.value,
        family=prompt.family,
        messages=prompt.messages,
        text=prompt.text,
        reference=prompt.reference,
        verifier=prompt.verifier,
        meta=dict(prompt.meta),
        external_id=prompt.external_id,
        content_sha=prompt.sha,
    )


def _count(report: ImportReport, stored: list[Prompt]) -> None:
    report.imported += len(stored)
    report.with_reference += sum(1 for p in stored if p.reference)
    by_split = Counter(report.by_split) + Counter(str(p.split) for p in stored)
    report.by_split = {split.value: by_split[split.value] for split in Split if by_split[split.value]}
