"""Markdown that people or models wrote, as HTML that cannot do harm."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString, mark_safe

from webapp.projects import rich as renderer

register = template.Library()


@register.filter
def rich(text: str) -> SafeString:
    return mark_safe(renderer.rich(text))  # noqa: S308  (cleaned there)


@register.filter
def marked_up(text: str) -> SafeString | str:
    """`rich` of a text that has something to render; "" where it does as it stands."""
    return mark_safe(renderer.marked_up(text))  # noqa: S308  (cleaned there)


register.filter("markdown", rich)
