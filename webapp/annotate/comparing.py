"""Comparisons and critique reviews as a plain HTML form: what it shows, and the answer it amounts to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from webapp.annotate.errors import PayloadInvalid
from webapp.annotate.models import TaskKind

_SIGNS = {-1: "−", 0: "0", 1: "+", None: "·"}
_WORDS: dict[int | None, Promise] = {-1: _("wrong"), 0: _("neutral"), 1: _("good"), None: _("unjudged")}
_YES_NO = {"yes": True, "no": False}
_GIVEN = {"rating": "ratings", "yesno": "checks"}

Fields = Mapping[str, Any]  # a posted form
Texts = dict[str, dict[str, Any]]  # marks, comments, corrections by step, as `forms.draft_of` gives them


def options(item: Mapping[str, Any]) -> list[int]:
    """What is compared, by the index to answer with, in display order; [] where nothing is."""
    if item["kind"] == TaskKind.PREFERENCE:
        return [response["candidate"] for response in item["responses"]]
    return [critique["critique"] for critique in item["critiques"]] if len(item["critiques"]) == 2 else []


def criteria_shown(
    item: Mapping[str, Any], answer: Mapping[str, Any], posted: Fields
) -> list[dict[str, Any]]:
    """The project's criteria with a group of choices per response, in display order.

    Chosen is what ``posted``, a form that was refused, or else the answer so far has.
    """
    asked = (item.get("queue") or {}).get("criteria") or []
    return [
        {**criterion, "cells": [_cell(criterion, i, answer, posted) for i in options(item)]}
        for criterion in (asked if item["kind"] == TaskKind.PREFERENCE else [])
    ]


def _cell(
    criterion: Mapping[str, Any], candidate: int, answer: Mapping[str, Any], posted: Fields
) -> dict[str, Any]:
    name = _field(criterion, candidate)
    rating = criterion["kind"] == "rating"
    values = (answer.get(_GIVEN[criterion["kind"]]) or {}).get(criterion["key"]) or []
    given = values[candidate] if candidate < len(values) else None
    words = {True: "yes", False: "no", None: ""}
    return {
        "name": name,
        "given": posted.get(name) or (str(given or "") if rating else words[given]),
        "options": [(str(n), str(n)) for n in range(1, 6)]
        if rating
        else [("yes", _("Yes")), ("no", _("No"))],
    }


def _field(criterion: Mapping[str, Any], candidate: int) -> str:
    return f"{criterion['kind']}-{criterion['key']}-{candidate}"


def criteria_given(data: Fields, criteria: list[dict[str, Any]], count: int) -> dict[str, Any]:
    """``ratings`` and ``checks`` as the form has them; criteria that nobody touched are left out."""
    read: dict[str, Callable[[str], Any]] = {
        "rating": lambda text: int(text) if text.isdecimal() else None,
        "yesno": _YES_NO.get,
    }
    found: dict[str, Any] = {"ratings": {}, "checks": {}}
    for criterion in criteria:
        kind = criterion["kind"]
        values = [read[kind](str(data.get(_field(criterion, i), ""))) for i in range(count)]
        if any(value is not None for value in values):
            found[_GIVEN[kind]][criterion["key"]] = values
    return found


def winner_given(data: Fields) -> dict[str, Any]:
    """Winner, all bad and strength as the form has them.

    Raises:
        PayloadInvalid: nothing was chosen.
    """
    choice = str(data.get("winner") or "")
    if not choice:
        raise PayloadInvalid(["Choose the better one, a tie, or all bad."])
    strength = str(data.get("strength") or "")
    return {
        "winner": int(choice) if choice.isdecimal() else None,  # "tie" and "all_bad" are no index
        "all_bad": choice == "all_bad",
        "strength": int(strength) if strength.isdecimal() else 2,
    }


def review_given(data: Fields, content: Mapping[str, Any], critiques: int) -> dict[str, Any]:
    """The answer of a critique review. ``content``: the critique as edited in the form.

    Raises:
        PayloadInvalid: nothing was chosen.
    """
    reason = str(data.get("rationale") or "")[:500]
    if critiques == 2:
        return {"decision": "prefer", "reason": reason, **winner_given(data)}
    decision = data.get("decision")
    if not decision:
        raise PayloadInvalid(["Accept the critique, edit it or reject it."])
    return {
        "decision": decision,
        "reason": reason,
        "edited": dict(content) if decision == "edit" else None,
    }


def review_steps(item: Mapping[str, Any], answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps with what each critique says of them, and the fields to edit a single one."""
    critiques = item["critiques"]
    edited = answer.get("edited") or answer
    start = edited if edited.get("marks") else critiques[0]
    return [
        {
            **step,
            "number": step["index"] + 1,
            "critiques": [_said(critique, step["index"]) for critique in critiques],
            "mark": _at(start.get("marks"), step["index"]),
            "comment": _at(start.get("comments"), step["index"]) or "",
            "correction": _at(start.get("corrections"), step["index"]) or "",
        }
        for step in item["responses"][0]["steps"]
    ]


def review_verdict(item: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """The overall verdict as it stands: the one given, else that of the single critique."""
    given = (answer.get("edited") or answer).get("verdict")
    return given or (item["critiques"][0]["verdict"] if len(item["critiques"]) == 1 else "")


def _said(critique: Mapping[str, Any], index: int) -> dict[str, Any]:
    mark = _at(critique["marks"], index)
    return {
        "mark": mark,
        "sign": _SIGNS[mark],
        "word": _("first error") if index == critique["first_error"] else _WORDS[mark],
        "comment": _at(critique["comments"], index) or "",
        "correction": _at(critique["corrections"], index) or "",
    }


def _at(values: Any, index: int) -> Any:
    """Of a list, or of a mapping by step number as text."""
    if isinstance(values, list):
        return values[index] if index < len(values) else None
    return values.get(str(index)) if isinstance(values, dict) else None
