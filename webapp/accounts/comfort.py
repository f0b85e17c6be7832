"""What a person sets for themselves: keys, theme, size of type, motion, language. Kept in ``User.settings``.

A key is named as the browser names it in ``KeyboardEvent.key``; capitals are typed with Shift. Actions of one
kind of task share the keyboard with those of every kind ("all"), never with those of another kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from django.conf import settings as site
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

ALL = "all"


@dataclass(frozen=True, slots=True)
class Action:
    name: str
    key: str  # unless the person chose another
    words: str | Promise  # what it does, in the sheet of keys
    scope: str = ALL  # a kind of task, or all of them
    also: tuple[str, ...] = ()  # further keys, as long as nothing else has them


_STEP, _PAIR, _REVIEW = "step_critique", "preference", "critique_review"

ACTIONS: tuple[Action, ...] = (
    Action("next_step", "j", _("Next step"), _STEP, ("ArrowDown",)),
    Action("previous_step", "k", _("Previous step"), _STEP, ("ArrowUp",)),
    Action("wrong", "1", _("The step is wrong"), _STEP),
    Action("neutral", "2", _("The step is neutral: correct, but it adds nothing"), _STEP),
    Action("good", "3", _("The step is good"), _STEP),
    Action("unsure", "4", _("You are unsure of the step (? opens this sheet)"), _STEP, ("/",)),
    Action("clear", "0", _("The step is unjudged again"), _STEP, ("Backspace",)),
    Action("first_error", "b", _("First error here; unrated steps before it become good"), _STEP),
    Action("rest_good", "a", _("All unrated steps are good"), _STEP),
    Action("next_unrated", "n", _("Next step that is not rated yet"), _STEP),
    Action("error_kind", "t", _("Kind of error, of a wrong step"), _STEP),
    Action("passage", "w", _("Mark the wrong passage within the step"), _STEP),
    Action("comment", "c", _("Comment on the step"), _STEP),
    Action("correct", "e", _("Write the corrected step"), _STEP),
    Action("alternatives", "r", _("Ask the model for alternatives from here"), _STEP),
    Action("verdict", "v", _("Overall verdict: right, wrong, unknown"), _STEP),
    Action("confidence", "q", _("How sure you are, 1 to 4"), _STEP),
    Action("expand", "o", _("Fold or unfold a long step"), _STEP),
    Action("first_better", "1", _("Response 1 is better; again: by more"), _PAIR),
    Action("second_better", "2", _("Response 2 is better; again: by more"), _PAIR),
    Action("third_better", "3", _("Response 3 is better; again: by more"), _PAIR),
    Action("fourth_better", "4", _("Response 4 is better; again: by more"), _PAIR),
    Action("tie", "0", _("Tie"), _PAIR, ("t",)),
    Action("all_bad", "-", _("All bad"), _PAIR),
    Action("weaker", "[", _("Better by less"), _PAIR),
    Action("stronger", "]", _("Better by more"), _PAIR),
    Action("rank", "o", _("Rank three or four: the numbers from best to worst, = before a tie"), _PAIR),
    Action("criteria", "r", _("Rate the criteria: 1 to 5, y or n, arrows; Esc leaves"), _PAIR),
    Action("rationale", "c", _("Say why"), _PAIR),
    Action("review_next", "j", _("Next step"), _REVIEW, ("ArrowDown",)),
    Action("review_previous", "k", _("Previous step"), _REVIEW, ("ArrowUp",)),
    Action("review_first", "1", _("Accept; while editing: wrong; of two: critique 1 is better"), _REVIEW),
    Action("review_second", "2", _("Edit; while editing: neutral; of two: critique 2 is better"), _REVIEW),
    Action("review_third", "3", _("Reject, with a reason; while editing: good"), _REVIEW),
    Action("review_tie", "0", _("Of two: a tie"), _REVIEW, ("t",)),
    Action("review_all_bad", "-", _("Of two: both are bad"), _REVIEW),
    Action("review_weaker", "[", _("Of two: better by less"), _REVIEW),
    Action("review_stronger", "]", _("Of two: better by more"), _REVIEW),
    Action("review_first_error", "b", _("While editing: first error here"), _REVIEW),
    Action("review_accept", "a", _("Accept; while editing: all unrated steps are good"), _REVIEW),
    Action("review_edit", "e", _("Edit; while editing: write the corrected step"), _REVIEW),
    Action("review_verdict", "v", _("While editing: overall verdict"), _REVIEW),
    Action("review_comment", "c", _("Say why; while editing: comment on the step"), _REVIEW),
    Action("review_why", "w", _("Say why"), _REVIEW),
    Action("submit", "Enter", _("Submit and go on; inside a text: back to the steps")),
    Action("undo", "u", _("Undo"), ALL, ("Ctrl+z",)),
    Action("redo", "U", _("Redo"), ALL, ("Ctrl+y", "Ctrl+Z")),
    Action("skip", "s", _("Skip, with a reason: someone else is asked")),
    Action("bad_problem", "x", _("Bad problem: the question itself is at fault")),
    Action("give_up", "g", _("Give up: a good problem, but you cannot judge it")),
    Action("unsure_whole", "d", _("In doubt about the whole: the lead decides")),
    Action("flag", "f", _("Flag it for the lead with a note, and go on")),
    Action("prompt", "p", _("Fold or unfold a long prompt")),
    Action("guidelines", "i", _("Guidelines and examples")),
    Action("panel", "m", _("Narrow screens: open or close the panel below")),
    Action("keys", "?", _("This sheet")),
)
_BY_NAME = {action.name: action for action in ACTIONS}
_CAPS = {
    "Enter": "⏎", "ArrowUp": "↑", "ArrowDown": "↓", "ArrowLeft": "←", "ArrowRight": "→", "Backspace": "⌫",
    "Delete": "⌦", " ": "␣",
}  # fmt: skip
# Those that the browser, the page's fields or a screen reader need for themselves.
_RESERVED = {
    "Tab",
    "Escape",
    "Shift",
    "Control",
    "Alt",
    "Meta",
    "AltGraph",
    "Dead",
    "Unidentified",
    "Process",
}


class Comfort(BaseModel):
    """A person's own settings. An action that is not in ``keys`` has its usual key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: dict[str, str] = Field(default_factory=dict)
    theme: Literal["system", "light", "dark"] = "system"
    font: Literal["s", "m", "l", "xl"] = "m"
    motion: Literal["system", "reduced"] = "system"
    language: str = ""  # empty: what the browser asks for
    advance: bool = True  # on to the next step once one is rated

    @field_validator("language")
    @classmethod
    def _known_language(cls, value: str) -> str:
        if value and value not in dict(site.LANGUAGES):
            raise ValueError(gettext("There are no pages in this language yet."))
        return value

    @field_validator("keys")
    @classmethod
    def _known_actions(cls, value: dict[str, str]) -> dict[str, str]:
        for name, key in value.items():
            if name not in _BY_NAME:
                raise ValueError(f"There is no action called {name!r}.")
            if not key or key in _RESERVED or len(key) > 20 or not key.isprintable():
                said = gettext("“{action}” cannot have the key {key}; choose another.")
                raise ValueError(said.format(action=_BY_NAME[name].words, key=repr(key)))
        return {name: key for name, key in value.items() if key != _BY_NAME[name].key}

    @model_validator(mode="after")
    def _one_action_per_key(self) -> Self:
        if faults := clashes(self.keys):
            raise ValueError(" ".join(faults))
        return self


def comfort_of(settings: Mapping[str, Any]) -> Comfort:
    """The stored settings; what an older or newer version stored and this one does not know is left out."""
    known = {name: value for name, value in settings.items() if name in Comfort.model_fields}
    if "keys" in known:
        known["keys"] = {name: key for name, key in known["keys"].items() if name in _BY_NAME}
    try:
        return Comfort.model_validate(known)
    except ValidationError:
        return Comfort()


def problems(error: ValidationError) -> list[str]:
    """One plain sentence per fault."""
    return [fault["msg"].removeprefix("Value error, ") for fault in error.errors()]


def bindings(keys: Mapping[str, str], scope: str | None = None) -> dict[str, str]:
    """Action -> its key as this person has it; for one kind of task, or for all."""
    return {a.name: keys.get(a.name, a.key) for a in ACTIONS if scope is None or a.scope in (scope, ALL)}


def clashes(keys: Mapping[str, str]) -> list[str]:
    """One sentence for each two actions that would share a key where both are in use."""
    found = []
    for scope in (_STEP, _PAIR, _REVIEW):
        holders: dict[str, str] = {}
        for name, key in bindings(keys, scope).items():
            if key in holders and (sentence := _clash(key, holders[key], name)) not in found:
                found.append(sentence)
            holders[key] = name
    return found


def _clash(key: str, one: str, other: str) -> str:
    said = gettext("{key} would be both “{one}” and “{other}”: change one.")
    return said.format(key=cap(key), one=_BY_NAME[one].words, other=_BY_NAME[other].words)


def cap(key: str) -> str:
    """The key as it is printed on a key cap."""
    return _CAPS.get(key, key.replace("Ctrl+Z", "Ctrl+⇧z"))


def caps(keys: Mapping[str, str]) -> dict[str, str]:
    return {name: cap(key) for name, key in bindings(keys).items()}


def sheet(keys: Mapping[str, str], scopes: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """What the sheet of keys lists: scope -> its actions, each with the caps of all keys it has."""
    bound = bindings(keys)
    taken = set(keys.values())
    return {
        scope: [
            {
                "name": a.name,
                "key": bound[a.name],
                "caps": [cap(k) for k in (bound[a.name], *(k for k in a.also if k not in taken))],
                "words": a.words,
            }
            for a in ACTIONS
            if a.scope == scope
        ]
        for scope in scopes
    }


def keyboard(keys: Mapping[str, str]) -> list[dict[str, Any]]:
    """The actions for the page's script: what is pressed, and what the view was written to hear."""
    bound = bindings(keys)
    return [
        {"name": a.name, "key": bound[a.name], "usual": a.key, "also": list(a.also), "scope": a.scope}
        for a in ACTIONS
    ]
