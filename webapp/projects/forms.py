from __future__ import annotations

from typing import Any

from django import forms

from loop.prompts.readers import FieldMap
from loop.verify import checker_names
from webapp.projects.models import Role
from webapp.projects.services import Placement

PLACES = [
    ("train", "Train: sampled, annotated, trained on"),
    ("heldout", "Held-out: the gate's, never trained on"),
    ("probe", "Probe: watched for drift, never trained on"),
    ("train=0.8,heldout=0.2", "80 % train, 20 % held-out, by family"),
    ("train=0.7,heldout=0.2,probe=0.1", "70 % train, 20 % held-out, 10 % probe, by family"),
]


class ImportForm(forms.Form):
    """An upload and how to read it. ``kept`` finds a file that was uploaded a moment ago."""

    file = forms.FileField(
        required=False, label="File", help_text="JSONL (one object per line) or CSV with a header line."
    )
    kept = forms.CharField(required=False, widget=forms.HiddenInput)
    text_field = forms.CharField(
        initial="prompt",
        max_length=100,
        label="Field with the question",
        help_text="Text, or a list of chat messages.",
    )
    reference_field = forms.CharField(required=False, max_length=100, label="Field with the reference answer")
    reference_pattern = forms.CharField(
        required=False,
        max_length=300,
        label="Pattern in it",
        help_text="Regular expression whose first group is the reference, e.g. #### (.+)",
    )
    id_field = forms.CharField(required=False, max_length=100, label="Field with the prompt's own id")
    place = forms.ChoiceField(choices=PLACES, label="Into")
    verifier = forms.ChoiceField(
        label="Checked by",
        help_text="What compares a response with the reference. Needs a reference field.",
        initial="math_answer",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(name, name.replace("_", " ")) for name in checker_names()]
        self.fields["verifier"].choices = [("", "nothing"), *names]  # type: ignore[attr-defined]
        self.fields["verifier"].required = False

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("file") and not data.get("kept"):
            self.add_error("file", "Choose a file.")
        if data.get("reference_pattern") and not data.get("reference_field"):
            self.add_error("reference_field", "Name the field in which the pattern is looked for.")
        return data

    def field_map(self) -> FieldMap:
        data = self.cleaned_data
        return FieldMap(
            prompt=data["text_field"],
            reference=data["reference_field"] or None,
            reference_pattern=data["reference_pattern"] or None,
            meta=(data["id_field"],) if data["id_field"] else (),
        )

    def placement(self) -> Placement:
        return Placement.parse(self.cleaned_data["place"])

    def checker(self) -> str:
        return self.cleaned_data["verifier"] if self.cleaned_data["reference_field"] else ""


class MemberForm(forms.Form):
    username = forms.CharField(max_length=150, label="User name")
    role = forms.ChoiceField(choices=Role.choices, initial=Role.ANNOTATOR)
    password = forms.CharField(
        required=False,
        label="First password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Only for somebody without an account yet; hand it over in person.",
    )


class RoleForm(forms.Form):
    user = forms.IntegerField(widget=forms.HiddenInput)
    role = forms.ChoiceField(choices=Role.choices)


class GuidelinesForm(forms.Form):
    text = forms.CharField(label="Guidelines", max_length=50_000, widget=forms.Textarea(attrs={"rows": 14}))


MARKS = [("", "no mark"), ("-1", "− wrong"), ("0", "0 neutral"), ("1", "+ good")]


class GuidelineExampleForm(forms.Form):
    """A worked example. An empty row is none."""

    text = forms.CharField(
        required=False, max_length=4000, label="Step", widget=forms.Textarea(attrs={"rows": 2})
    )
    mark = forms.TypedChoiceField(required=False, choices=MARKS, coerce=int, empty_value=None, label="Mark")
    why = forms.CharField(required=False, max_length=1000, label="Why")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if (
            not data.get("text")
            and "text" not in self.errors
            and (data.get("why") or data.get("mark") is not None)
        ):
            self.add_error("text", "Say which step this is about, or empty the row.")
        return data


GuidelineExamples = forms.formset_factory(GuidelineExampleForm, extra=1, max_num=50, absolute_max=60)


def example_rows(examples: forms.BaseFormSet) -> list[dict[str, Any]]:
    """The examples that were filled in, in order."""
    return [form.cleaned_data for form in examples.forms if form.cleaned_data.get("text")]
