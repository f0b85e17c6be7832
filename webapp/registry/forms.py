"""The registry's forms."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept with the promotion, for whoever asks later."),
    )


class NoteForm(forms.Form):
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("Markdown. Part of the model card, here and in every export."),
    )


class KeepForm(forms.Form):
    days = forms.IntegerField(
        label=_("Keep weights of held and control versions for (days)"),
        required=False,
        min_value=1,
        max_value=3650,
        help_text=_(
            "Empty: for ever. What is in use, was in use, or something kept was trained from always stays."
        ),
    )


class MergeForm(forms.Form):
    dtype = forms.ChoiceField(choices=[("float32", "float32"), ("bfloat16", "bfloat16")])


class _Files(forms.ClearableFileInput):
    allow_multiple_selected = True


class _FilesField(forms.FileField):
    """Several files; cleaned to their list."""

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        given = data if isinstance(data, list | tuple) else [data]
        cleaned = (super(_FilesField, self).clean(one, initial) for one in given)
        return [file for file in cleaned if file is not None]


class ImportForm(forms.Form):
    adapter = _FilesField(
        label=_("Adapter"),
        widget=_Files(attrs={"accept": ".zip,.safetensors,.json,.md,.txt,.jinja"}),
        help_text=_("One zip file, or adapter_config.json and adapter_model.safetensors together."),
    )
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Where it comes from and what it was trained on. Part of its model card."),
    )
    trained_on_this_base = forms.BooleanField(label=_("I know it was trained on this base"), required=False)
