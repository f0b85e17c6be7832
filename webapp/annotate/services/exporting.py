"""Everything of a project's annotation side, as a stream of lines: constant memory, one moment in time.

Lines are made by PostgreSQL and come by COPY, so that this process only passes them on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from loop.annotate.formats import exchange_names, training_names
from webapp.annotate import raw
from webapp.annotate.services.answers_out import answered_rows
from webapp.annotate.services.streaming import copied, one_moment
from webapp.projects.models import Project

RAW = "raw"
PIECE = 256 * 1024  # bytes gathered before they are passed on


class ExportRefused(ValueError):
    """There is no such format, or it needs to be told something."""


def format_names() -> tuple[str, ...]:
    return (RAW, *exchange_names(), *training_names())


def annotations_export(
    *,
    project: Project,
    format: str = RAW,  # noqa: A002
    neutral: str = "drop",
) -> Iterator[bytes]:
    """The export in pieces of whole lines.

    ``raw`` is everything and can be imported again; the other formats have one row per answer, or per final
    word where there is one. ``neutral``: what a training format with booleans makes of neutral steps.

    Raises:
        ExportRefused: an unknown format or policy, at once.
    """
    if format not in format_names():
        raise ExportRefused(f"There is no format {format!r}; there are: {', '.join(format_names())}.")
    if format == RAW:
        return _pieces(_raw_lines(project))
    try:
        return _pieces(answered_rows(project, format, neutral))
    except ValueError as error:
        raise ExportRefused(str(error)) from error


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        gathered.append(line)
        size += len(line)
        if size >= PIECE:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)


# -------------------------------------------------------------------------------------------------- raw
def _raw_lines(project: Project) -> Iterator[bytes]:
    with one_moment() as cursor:
        yield _line({"type": "project", "version": raw.VERSION, "slug": project.slug, "name": project.name})
        cursor.execute(_PEOPLE, {"project": project.pk})
        for username, program in cursor.fetchall():
            yield _line({"type": "person", "username": username, "program": program})
        cursor.execute("DROP TABLE IF EXISTS raw_repeated")
        cursor.execute(raw.REPEATED, [project.pk, project.pk])
        for shape in raw.LINES:
            yield from copied(cursor, raw.line_sql(shape) % project.pk)


def _line(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


_PEOPLE = """
SELECT username, is_simulated FROM accounts_user WHERE id IN (
    SELECT user_id FROM annotate_assignment s JOIN annotate_annotationtask t ON t.id = s.task_id
        WHERE t.project_id = %(project)s
    UNION SELECT user_id FROM annotate_annotation s JOIN annotate_annotationtask t ON t.id = s.task_id
        WHERE t.project_id = %(project)s
    UNION SELECT reviewed_by_id FROM annotate_annotation s JOIN annotate_annotationtask t ON t.id = s.task_id
        WHERE t.project_id = %(project)s
    UNION SELECT r.author_id FROM annotate_annotationrevision r JOIN annotate_annotation s
        ON s.id = r.annotation_id JOIN annotate_annotationtask t ON t.id = s.task_id
        WHERE t.project_id = %(project)s
    UNION SELECT r.author_id FROM annotate_reviewnote r JOIN annotate_annotation s
        ON s.id = r.annotation_id JOIN annotate_annotationtask t ON t.id = s.task_id
        WHERE t.project_id = %(project)s
    UNION SELECT s.author_id FROM annotate_adjudication s JOIN annotate_annotationtask t ON t.id = s.task_id
        WHERE t.project_id = %(project)s
    UNION SELECT s.user_id FROM annotate_invitation s JOIN annotate_annotationtask t ON t.id = s.task_id
        WHERE t.project_id = %(project)s
    UNION SELECT author_id FROM annotate_flag WHERE project_id = %(project)s
    UNION SELECT resolved_by_id FROM annotate_flag WHERE project_id = %(project)s
    UNION SELECT author_id FROM annotate_regeneration WHERE project_id = %(project)s
    UNION SELECT user_id FROM annotate_daycount WHERE project_id = %(project)s
    UNION SELECT created_by_id FROM projects_guidelineversion WHERE project_id = %(project)s
    UNION SELECT r.user_id FROM projects_guidelineread r JOIN projects_guidelineversion g
        ON g.id = r.version_id WHERE g.project_id = %(project)s
    UNION SELECT r.author_id FROM traces_response r JOIN projects_prompt p ON p.id = r.prompt_id
        WHERE p.project_id = %(project)s AND r.author_id IS NOT NULL
    UNION SELECT c.author_id FROM traces_critique c JOIN traces_response r ON r.id = c.response_id
        JOIN projects_prompt p ON p.id = r.prompt_id
        WHERE p.project_id = %(project)s AND c.author_id IS NOT NULL
) ORDER BY username
"""
