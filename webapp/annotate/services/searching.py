"""Filling the full text of tasks, a bite at a time, so that a large import does not wait for it."""

from __future__ import annotations

from django.db import connection

BITE = 2000
LOOKED_AT = 5000

# A tsvector holds 1 MiB of words and positions; so many characters never come near, whatever the script.
MOST_CHARACTERS = 100_000

_TEXT = """
    to_tsvector('simple', left(concat_ws(E'\\n', p.text, p.external_id, (
        SELECT string_agg(r.text, E'\\n') FROM traces_response r
        WHERE r.id = ANY(array_append(t.response_ids, t.response_id))
    ), (
        SELECT string_agg(c.text, E'\\n') FROM traces_critique c WHERE c.id = ANY(t.critique_ids)
    )), %(characters)s))
"""

# New tasks: above the last one that has its words.
_FILL = f"""
INSERT INTO annotate_searchrow (task_id, words)
SELECT t.id, {_TEXT}
FROM (
    SELECT * FROM annotate_annotationtask
    WHERE id > (SELECT coalesce(max(task_id), 0) FROM annotate_searchrow)
    ORDER BY id LIMIT %(limit)s
) t JOIN projects_prompt p ON p.id = t.prompt_id
ORDER BY t.id
ON CONFLICT DO NOTHING
"""  # noqa: S608  (text of this module only)

# Gaps: a long import commits ids below those that others have had filled meanwhile.
_MEND = f"""
WITH seen AS MATERIALIZED (
    SELECT * FROM annotate_annotationtask
    WHERE id > %(after)s AND id <= (SELECT coalesce(max(task_id), 0) FROM annotate_searchrow)
    ORDER BY id LIMIT %(limit)s
), filled AS (
    INSERT INTO annotate_searchrow (task_id, words)
    SELECT t.id, {_TEXT}
    FROM seen t JOIN projects_prompt p ON p.id = t.prompt_id
    WHERE NOT EXISTS (SELECT 1 FROM annotate_searchrow s WHERE s.task_id = t.id)
    ON CONFLICT DO NOTHING
)
SELECT max(id) FROM seen
"""  # noqa: S608


def search_fill(limit: int = BITE) -> int:
    """Make the next ``limit`` tasks searchable, oldest first. Returns how many; two at once do no harm."""
    with connection.cursor() as cursor:
        cursor.execute(_FILL, {"limit": limit, "characters": MOST_CHARACTERS})
        return int(cursor.rowcount)


def search_mend(after: int = 0, limit: int = LOOKED_AT) -> int:
    """Look for tasks that `search_fill` passed over, among ``limit`` with ids above ``after``.

    Returns where to look next: 0 when the end was reached, so that the caller goes round and round.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MEND, {"after": after, "limit": limit, "characters": MOST_CHARACTERS})
        return int(cursor.fetchone()[0] or 0)
