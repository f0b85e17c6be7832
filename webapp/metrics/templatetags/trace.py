"""Addresses within the lineage: from where one stands to the next thing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from webapp.metrics.templatetags.numbers import written_interval
from webapp.metrics.tracing.wanted import Wanted
from webapp.registry.comparing import ALL

register = template.Library()


@register.simple_tag(takes_context=True)
def step(context: template.Context, **changes: Any) -> str:
    """{% step annotation=7 %}: the same place with changes; None leaves a part out."""
    wanted: Wanted = context["wanted"]
    return _address(context, wanted.address(**changes))


@register.simple_tag(takes_context=True)
def listed(context: template.Context, show: str, **changes: Any) -> str:
    """{% listed "prompts" of="turned_right" %}: a list below the number, at its beginning."""
    wanted: Wanted = context["wanted"]
    return _address(context, wanted.listed(show, **changes))


@register.simple_tag(takes_context=True)
def traced(context: template.Context, metric: str, iteration: int, **deeper: Any) -> str:
    """{% traced "heldout_gain" 4 %}: the lineage of a number."""
    return _address(context, Wanted(metric, iteration).address(**deeper))


def _address(context: template.Context, query: str) -> str:
    return reverse("lineage", args=[context["project"].slug]) + query


_OUTCOMES = {
    ALL: _("All"),
    "turned_right": _("Turned right"),
    "turned_wrong": _("Turned wrong"),
    "both_right": _("Right twice"),
    "both_wrong": _("Wrong twice"),
}
_SAMPLES = {
    "": _("All"),
    "solve_none": _("None right"),
    "solve_some": _("Some right"),
    "solve_all": _("All right"),
    "majority_wrong": _("Majority wrong"),
    "kept": _("Trained on"),
}
_SORTS = {
    "hardest": _("hardest first"),
    "easiest": _("easiest first"),
    "longest": _("longest first"),
    "answers": _("most different answers"),
}
_SPLITS = {"heldout": _("held-out"), "probe": _("probe"), "train": _("train")}


@register.filter
def outcome_tabs(counts: Mapping[str, int]) -> list[tuple[str, Any, int]]:
    """(key, name, how many) of the ways in which prompts came out."""
    return [(key, name, counts[key]) for key, name in _OUTCOMES.items()]


@register.simple_tag
def sample_tabs() -> list[tuple[str, Any]]:
    return list(_SAMPLES.items())


@register.simple_tag
def sort_tabs() -> list[tuple[str, Any]]:
    return list(_SORTS.items())


@register.filter
def split_word(split: str) -> Any:
    return _SPLITS.get(split, split)


@register.filter
def measured_ends(row: Any) -> str:
    """The ends of a number's interval, in its unit: 4.1 to 10.8"""
    return written_interval(row.low, row.high, row.unit)
