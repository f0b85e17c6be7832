"""The settings of an alarm rule, in the units that the page shows."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loop.evaluate.alarms import Rule
from webapp.metrics.alarms_page import RuleRow

SCALES = {"share": 100.0, "points": 100.0}  # shown as per cent and percentage points
UNITS = {"share": "%", "points": _("points"), "ratio": _("times"), "score": ""}


class RuleForm(forms.Form):
    """One row of the rules' table. An empty limit is the default one."""

    limit = forms.FloatField(label=_("Limit"), required=False)
    enabled = forms.BooleanField(label=_("On"), required=False)
    hold = forms.BooleanField(label=_("Hold"), required=False)

    def __init__(self, data: Any, *, row: RuleRow) -> None:
        self.row, self.rule = row, row.rule
        initial = {"limit": f"{shown(row.rule, row.limit):g}", "enabled": row.enabled, "hold": row.hold}
        super().__init__(data, auto_id=f"{row.rule.key}-%s", initial=initial)
        low, high = (shown(row.rule, end) for end in row.rule.span)
        self.fields["limit"].widget.attrs |= {"min": low, "max": high, "step": "any"}
        for name, field in self.fields.items():
            label = f"{row.title}: {field.label}"
            label += f" ({self.unit})" if name == "limit" and self.unit else ""
            field.widget.attrs |= {"form": f"{self.name}-form", "aria-label": label}

    @property
    def name(self) -> str:
        return f"rule-{self.rule.key}"

    @property
    def unit(self) -> Any:
        return UNITS[self.rule.unit]

    @property
    def usual(self) -> str:
        return f"{shown(self.rule, self.rule.limit):g}"

    def clean_limit(self) -> float | None:
        """In the rule's own unit."""
        typed: float | None = self.cleaned_data["limit"]
        if typed is None:
            return None
        low, high = self.rule.span
        limit = round(typed / SCALES.get(self.rule.unit, 1.0), 10)
        if not low <= limit <= high:
            raise forms.ValidationError(
                gettext("Between {low} and {high}.").format(
                    low=f"{shown(self.rule, low):g}", high=f"{shown(self.rule, high):g}"
                )
            )
        return limit


def shown(rule: Rule, limit: float | None) -> float:
    """A limit in the unit of the page."""
    return round((limit or 0.0) * SCALES.get(rule.unit, 1.0), 10)
