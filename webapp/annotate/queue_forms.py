"""The forms of the queues pages. What fits together is for the service to say; here text becomes values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from loop.annotate.order import policies
from webapp.annotate.models import Queue, TaskKind
from webapp.projects.models import Project

SPARE_ROWS = 2  # empty rows of the criteria editor, for new ones


def order_choices() -> list[tuple[str, str]]:
    return [(p.name, p.name.replace("_", " ")) for p in policies()]


class QueueForm(forms.Form):
    """One queue's settings. Shares are asked for in percent."""

    order = forms.ChoiceField(label=_("Order"), help_text=_("Which tasks come first. Holds once reordered."))
    control_share = forms.FloatField(
        label=_("Control share, %"), min_value=0, max_value=100,
        help_text=_("Drawn uniformly whatever the order, so that statistics hold."),
    )  # fmt: skip
    overlap = forms.IntegerField(
        label=_("People per task"), min_value=1, max_value=100, help_text=_("For tasks made from now on.")
    )
    daily_quota = forms.IntegerField(
        label=_("Answers per person and day, at most"), min_value=1, max_value=100_000, required=False,
        help_text=_("Empty: no limit."),
    )  # fmt: skip
    show_model_critique = forms.BooleanField(label=_("Show the model’s critique"), required=False)
    withhold_share = forms.FloatField(
        label=_("Withheld at random, %"), min_value=0, max_value=100,
        help_text=_("Items whose critique is hidden although it is shown otherwise: measures anchoring."),
    )  # fmt: skip
    show_reference = forms.BooleanField(label=_("Show the reference answer"), required=False)
    gold_share = forms.FloatField(
        label=_("Gold items, %"), min_value=0, max_value=100, help_text=_("Their answer is known.")
    )
    gold_feedback = forms.ChoiceField(
        label=_("Tell how one did on a gold item"),
        choices=[("hidden", _("not the annotator")), ("immediate", _("at once"))],
    )
    repeat_share = forms.FloatField(
        label=_("Silent repeats, %"), min_value=0, max_value=100,
        help_text=_("Own earlier items again: does a person agree with themselves?"),
    )  # fmt: skip
    repeat_after = forms.IntegerField(label=_("A repeat comes after, answers"), min_value=1)
    error_kinds = forms.CharField(
        label=_("Kinds of error"), required=False, widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("One per line; the first nine are chosen by digit."),
    )  # fmt: skip

    SHARES = ("control_share", "withhold_share", "gold_share", "repeat_share")

    def __init__(self, data: Mapping[str, Any] | None = None, *, queue: Queue) -> None:
        initial = {name: getattr(queue, name) for name in self.base_fields}
        initial |= {name: f"{100 * initial[name]:.4g}" for name in self.SHARES}
        initial["error_kinds"] = "\n".join(queue.error_kinds)
        super().__init__(data, initial=initial)
        self.fields["order"].choices = order_choices()  # type: ignore[attr-defined]

    def settings(self) -> dict[str, Any]:
        """The values as `queue_set` takes them, but for the criteria."""
        values = dict(self.cleaned_data)
        values |= {name: values[name] / 100 for name in self.SHARES}
        lines = [line.strip() for line in values["error_kinds"].splitlines()]
        return values | {"error_kinds": [line for line in lines if line]}


def criteria_shown(queue: Queue, data: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The rows of the criteria editor, with empty ones at the end."""
    rows = criteria_of(data, keep_empty=True) if data else [dict(c) for c in queue.criteria]
    empty = {"key": "", "label": "", "kind": "rating", "help": ""}
    return [row for row in rows if row["key"] or row["label"]] + [dict(empty) for _ in range(SPARE_ROWS)]


def criteria_of(data: Any, *, keep_empty: bool = False) -> list[dict[str, str]]:
    """The criteria as typed, row by row. A row without key and label is one that was not used."""
    parts = [data.getlist(f"criterion_{name}") for name in ("key", "label", "kind", "help")]
    rows = [
        {"key": key.strip(), "label": label.strip(), "kind": kind, "help": text.strip()}
        for key, label, kind, text in zip(*parts, strict=False)
    ]
    return [row for row in rows if keep_empty or row["key"] or row["label"]]


class AskForm(forms.Form):
    """New tasks about responses that are there."""

    source = forms.ChoiceField(label=_("Responses"))
    kind = forms.ChoiceField(label=_("Kind of task"), choices=TaskKind.choices)
    order = forms.ChoiceField(label=_("Which first"))
    count = forms.IntegerField(label=_("How many"), min_value=1, max_value=10_000, initial=50)
    overlap = forms.IntegerField(label=_("People per task"), min_value=1, max_value=100, initial=1)

    def __init__(self, data: Mapping[str, Any] | None = None, *, project: Project) -> None:
        super().__init__(data, prefix="ask")
        numbers = project.iterations.order_by("-number").values_list("number", flat=True)[:50]
        self.fields["source"].choices = [("", _("imported, of no iteration"))] + [  # type: ignore[attr-defined]
            (str(n), _("of iteration {n}").format(n=n)) for n in numbers
        ]
        self.fields["source"].required = False
        self.fields["source"].widget.attrs["data-key"] = "n"
        self.fields["order"].choices = order_choices()  # type: ignore[attr-defined]
        self.fields["order"].initial = "first_come"
