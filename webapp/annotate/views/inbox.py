"""The lead's inbox: what people flagged or set aside."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from webapp.accounts.http import SignedInRequest
from webapp.annotate import services
from webapp.annotate.errors import PayloadInvalid
from webapp.annotate.models import Flag
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role

PER_PAGE = 25


@require_http_methods(["GET", "POST"])
@project_page(Role.LEAD)
def inbox(request: SignedInRequest, project: Project) -> HttpResponse:
    """GET: open flags, newest first, or those resolved. POST: resolve one, closing its task if asked to."""
    if request.method == "POST":
        _resolve(request, project)
        return redirect(request.get_full_path())
    reason = request.GET.get("reason", "")
    reason = reason if reason in Flag.Reason.values else ""
    resolved = request.GET.get("state") == "resolved"
    flags = Flag.objects.filter(project=project, resolved_at__isnull=not resolved).order_by("-pk")
    if reason:
        flags = flags.filter(reason=reason)
    shown = flags.select_related("task__prompt", "task__iteration", "author", "annotation", "resolved_by")
    kept = urlencode({k: v for k, v in (("reason", reason), ("state", "resolved" if resolved else "")) if v})
    context = {
        "project": project,
        "nav": "inbox",
        "page": Paginator(shown, PER_PAGE).get_page(request.GET.get("page")),
        "query": f"{kept}&" if kept else "",
        "reason": reason,
        "reasons": Flag.Reason.choices,
        "resolved": resolved,
    }
    return render(request, "annotate/inbox/inbox.html", context)


def _resolve(request: SignedInRequest, project: Project) -> None:
    pk = request.POST.get("flag", "")
    flag = get_object_or_404(Flag, project=project, pk=pk if pk.isdecimal() else 0)
    close = request.POST.get("action") == "close"
    try:
        flag = services.flag_resolve(
            by=request.user, flag=flag, resolution=request.POST.get("resolution", ""), close=close
        )
    except PayloadInvalid as error:
        messages.error(request, str(error))
        return
    messages.success(request, _("Resolved; the task is withdrawn.") if close else _("Resolved."))
