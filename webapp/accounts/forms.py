from __future__ import annotations

from django.contrib.auth.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": "That name and password do not fit together. Both are case-sensitive.",
        "inactive": "This account is switched off. Ask an administrator of your copy of Whetstone.",
    }
