from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": _("That name and password do not fit together. Both are case-sensitive."),
        "inactive": _("This account is switched off. Ask an administrator of your copy of Whetstone."),
    }


def comfort_changes(data: QueryDict) -> dict[str, Any]:
    """The settings page's form as settings, unchecked. A key left empty is the usual one."""
    keys = {name.removeprefix("key-"): str(key) for name, key in data.items() if name.startswith("key-")}
    return {
        "keys": {action: key for action, key in keys.items() if key},
        "advance": data.get("advance") == "on",
        **{name: data[name] for name in ("theme", "font", "motion", "language") if name in data},
    }
