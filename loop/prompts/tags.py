"""What a prompt's meta says about its kind."""

from __future__ import annotations

from loop.records import Prompt

UNANSWERABLE = "unanswerable"


def tags_of(prompt: Prompt) -> tuple[str, ...]:
    """The prompt's tags, from ``tags`` (a list, or words parted by commas) and ``tag`` of its meta."""
    found: list[str] = []
    for value in (prompt.meta.get("tags"), prompt.meta.get("tag")):
        parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
        found += [part.strip() for part in parts if isinstance(part, str) and part.strip()]
    return tuple(dict.fromkeys(found))


def unanswerable(prompt: Prompt) -> bool:
    """Whether nobody can answer it: ``"unanswerable": true`` in its meta, or a tag of that name."""
    return prompt.meta.get(UNANSWERABLE) is True or UNANSWERABLE in tags_of(prompt)
