"""The system page: workers, queues, storage. For staff of the site, not for members of a project."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from webapp.accounts.http import SignedInRequest
from webapp.metrics import system_page as page
from webapp.metrics.figures.system import SITE
from webapp.metrics.storage_page import storage_read
from webapp.metrics.views.figures import standing, table_csv
from webapp.notices.selectors import deliveries_standing

View = Callable[..., HttpResponse]


def staff_page(view: View) -> View:
    """Signed in and staff, or 403: the names of projects are on it."""

    @login_required
    @wraps(view)
    def guarded(request: SignedInRequest, **kwargs: Any) -> HttpResponse:
        if not (request.user.is_staff or request.user.is_superuser):
            raise PermissionDenied
        return view(request, **kwargs)

    return guarded


@staff_page
@require_GET
def system(request: SignedInRequest) -> HttpResponse:
    now = timezone.now()
    context = {
        "now": page.Now(now),
        "deliveries": deliveries_standing(now=now),
        "figure": SITE["units-done"](now),
        "runs": page.runs_lately(),
        "storage": storage_read(),
    }
    return render(request, "metrics/system/page.html", context)


@staff_page
@require_GET
def live(request: SignedInRequest) -> HttpResponse:
    """The part that changes by the second."""
    now = timezone.now()
    context = {"now": page.Now(now), "deliveries": deliveries_standing(now=now)}
    return render(request, "metrics/system/live.html", context)


@staff_page
@require_GET
def figure(request: SignedInRequest, key: str, kind: str) -> HttpResponse:
    """A figure of the whole site as a drawing or as numbers."""
    build = SITE.get(key)
    built = build(timezone.now()) if build else None
    if built is None or kind not in ("svg", "csv"):
        raise Http404(f"There is no figure {key}.{kind}.")
    if kind == "csv":
        response = table_csv(built)
    else:
        response = render(request, "metrics/figure.svg", standing(built), "image/svg+xml")
    response["Content-Disposition"] = f'attachment; filename="{key}.{kind}"'
    return response
