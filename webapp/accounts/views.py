"""Signing in, the page that says why one cannot, and a person's own settings."""

from __future__ import annotations

from typing import Any

from axes.helpers import get_cool_off
from django.conf import settings as site
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _noop
from django.views.decorators.http import require_http_methods
from pydantic import ValidationError

from webapp.accounts import comfort
from webapp.accounts.forms import SignInForm, comfort_changes
from webapp.accounts.http import SignedInRequest
from webapp.accounts.services import comfort_save


class SignIn(LoginView):
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


def locked_out(
    request: HttpRequest, credentials: dict[str, Any] | None, *args: Any, **kwargs: Any
) -> HttpResponse:
    """After too many wrong passwords for one name from one address (django-axes calls this)."""
    cool_off = get_cool_off()
    minutes = round(cool_off.total_seconds() / 60) if cool_off else None
    return render(request, "accounts/locked_out.html", {"minutes": minutes}, status=429)


_SCOPES = {
    "all": _noop("Everywhere"),
    "step_critique": _noop("Step critique"),
    "preference": _noop("Preference"),
    "critique_review": _noop("Critique review"),
}


@login_required
@require_http_methods(["GET", "POST"])
def settings(request: SignedInRequest) -> HttpResponse:
    """A person's own settings. What was refused stays on the page, with the reasons."""
    mine, faults = comfort.comfort_of(request.user.settings).model_dump(), []
    if request.method == "POST":
        changes = comfort_changes(request.POST)
        try:
            comfort_save(user=request.user, changes=changes)
        except ValidationError as error:
            mine, faults = {**mine, **changes}, comfort.problems(error)
        else:
            messages.success(request, _("Saved."))
            return redirect("settings")
    groups = comfort.sheet(mine["keys"], _SCOPES)
    context = {
        "mine": mine,
        "faults": faults,
        "groups": [(scope, _SCOPES[scope], actions) for scope, actions in groups.items() if actions],
        "languages": site.LANGUAGES,
        "keyboard": comfort.keyboard(mine["keys"]),
    }
    return render(request, "accounts/settings.html", context, status=422 if faults else 200)
