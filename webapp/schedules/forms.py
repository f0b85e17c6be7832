"""The form of a schedule. What fits together the plan itself says; here text becomes values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError

from loop.recipe import recipes
from loop.schedule import Plan
from webapp.iterations.forms import ChangesForm
from webapp.schedules.models import Schedule
from webapp.schedules.services.facts import WATCHED

KINDS = [
    ("data", _("By answers: when enough were accepted")),
    ("clock", _("By clock: at certain times")),
    ("drift", _("By alarm: when a metric falls")),
]
COUNTED = [("number", _("their number")), ("weight", _("their weight by agreement"))]
# What a schedule by answers wants of its recipe: ask nobody, and train on all that was accepted so far.
NEW = {
    "kind": "data",
    "every": 50,
    "counted": "number",
    "zone": "UTC",
    "min_hours": 0,
    "cron": "0 2 * * *",
    "recipe": "rest-em",
    "changes": "annotate.take=0\ncurate.replay=all",
}
NOT_PLAN = {"name", "recipe", "changes", "simulate_annotators"}
OF_KIND = {
    "clock": {"cron"},
    "data": {"every", "weighted", "max_hours"},
    "drift": {"metric", "drop", "max_hours"},
}


class ScheduleForm(ChangesForm):
    name = forms.CharField(label=_("Name"), max_length=80)
    recipe = forms.ChoiceField(label=_("Recipe"))
    simulate_annotators = forms.BooleanField(label=_("Let simulated annotators answer"), required=False)
    kind = forms.ChoiceField(label=_("What starts it"), choices=KINDS, widget=forms.RadioSelect)
    cron = forms.CharField(
        label=_("Cron line"), required=False, max_length=100, widget=forms.TextInput(attrs={"class": "mono"}),
        help_text=_("Minute, hour, day of month, month, day of week: 0 2 * * * is every day at two."),
    )  # fmt: skip
    every = forms.FloatField(label=_("How many"), required=False, min_value=0.01, max_value=1e9)
    counted = forms.ChoiceField(
        label=_("What is counted"), choices=COUNTED, required=False,
        help_text=_("By weight, a task on which half of the people disagree counts half."),
    )  # fmt: skip
    metric = forms.ChoiceField(label=_("Metric"), choices=list(WATCHED.items()), required=False)
    points = forms.FloatField(
        label=_("Fall, points"), required=False, min_value=0.01, max_value=100,
        help_text=_("Below the best value since the last start, with its whole interval."),
    )  # fmt: skip
    zone = forms.CharField(
        label=_("Time zone"), max_length=60, widget=forms.TextInput(attrs={"list": "zones"})
    )
    min_hours = forms.FloatField(
        label=_("Hours between starts, at least"), min_value=0, max_value=10_000, required=False
    )
    max_hours = forms.FloatField(
        label=_("Start at the latest after hours"), min_value=0.01, max_value=10_000, required=False,
        help_text=_("Empty: it waits for as long as it takes."),
    )  # fmt: skip
    quiet_from = forms.TimeField(
        label=_("Quiet from"), required=False, widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"})
    )
    quiet_to = forms.TimeField(
        label=_("Quiet until"), required=False, widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"})
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, may_simulate: bool, schedule: Schedule | None = None
    ) -> None:
        super().__init__(data, initial=_initial(schedule) if schedule else NEW)
        self.fields["recipe"].choices = [  # type: ignore[attr-defined]
            (name, f"{recipe.title} ({name})") for name, recipe in recipes().items()
        ]
        if not may_simulate:
            del self.fields["simulate_annotators"]

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if set(self.errors) - NOT_PLAN:
            return given
        try:
            given["plan"] = plan_of(given)
        except ValidationError as error:
            for fault in error.errors():
                field = (
                    {"drop": "points"}.get(str(fault["loc"][0]), str(fault["loc"][0]))
                    if fault["loc"]
                    else None
                )
                self.add_error(field if field in self.fields else None, _sentence(fault["msg"]))
        return given

    def settings(self) -> dict[str, Any]:
        """The values as `schedule_set` takes them."""
        given = self.cleaned_data
        return {
            "name": given["name"],
            "plan": given["plan"],
            "recipe": given["recipe"],
            "changes": given["changes"],
            "simulate_annotators": given.get("simulate_annotators", False),
        }


def plan_of(given: Mapping[str, Any]) -> Plan:
    """What was filled in for another kind is left out.

    Raises:
        ValidationError: it does not fit together.
    """
    points = given.get("points")
    values = {
        "cron": given.get("cron") or "",
        "every": given.get("every"),
        "weighted": given.get("counted") == "weight",
        "metric": given.get("metric") or "",
        "drop": points / 100 if points else None,
        "max_hours": given.get("max_hours"),
    }
    kind = given["kind"]
    return Plan(
        kind=kind,
        zone=given["zone"].strip(),
        min_hours=given.get("min_hours") or 0.0,
        quiet_from=given.get("quiet_from"),
        quiet_to=given.get("quiet_to"),
        **{name: values[name] for name in OF_KIND[kind]},
    )


def _initial(schedule: Schedule) -> dict[str, Any]:
    plan = schedule.planned
    kept = {name: getattr(plan, name) for name in ("kind", "zone", "quiet_from", "quiet_to")}
    kept |= {name: _number(getattr(plan, name)) for name in ("every", "min_hours", "max_hours")}
    return kept | {
        "name": schedule.name,
        "recipe": schedule.recipe,
        "changes": "\n".join(schedule.changes),
        "simulate_annotators": schedule.simulate_annotators,
        "cron": plan.cron or NEW["cron"],
        "counted": "weight" if plan.weighted else "number",
        "metric": plan.metric,
        "points": _number(100 * plan.drop) if plan.drop else None,
    }


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.12g}"


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text[:1].upper() + text[1:] + "."
