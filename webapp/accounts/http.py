"""A request whose user is known to be signed in: what views behind `login_required` get."""

from __future__ import annotations

from django.http import HttpRequest

from webapp.accounts.models import User


class SignedInRequest(HttpRequest):
    user: User
