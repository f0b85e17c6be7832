from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from webapp.notices.models import Channel, Event

ASKED_FOR = [(e.value, e.label) for e in Event if e is not Event.TEST]
USUAL = [Event.PROMOTED.value, Event.HELD.value, Event.FAILED.value]


class ChannelForm(forms.Form):
    kind = forms.ChoiceField(label=_("By"), choices=Channel.Kind.choices, widget=forms.RadioSelect)
    target = forms.CharField(
        label=_("Address"),
        max_length=500,
        help_text=_("An email address, or the address of a webhook: https://…"),
    )
    events = forms.MultipleChoiceField(
        label=_("When"), choices=ASKED_FOR, widget=forms.CheckboxSelectMultiple, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"initial": {"kind": "email", "events": USUAL}} | kwargs))
