"""The notices page: where a project's news goes, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from webapp.accounts.http import SignedInRequest
from webapp.accounts.models import User
from webapp.notices import selectors, services
from webapp.notices.forms import ChannelForm
from webapp.notices.models import Channel, Delivery
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least

PER_PAGE = 25


def _on(*, channel: Channel, by: User) -> str:
    services.channel_enable(channel=channel, on=True, by=by)
    return _("Switched on.")


def _off(*, channel: Channel, by: User) -> str:
    services.channel_enable(channel=channel, on=False, by=by)
    return _("Switched off.")


def _remove(*, channel: Channel, by: User) -> str:
    services.channel_remove(channel=channel, by=by)
    return _("Removed.")


def _test(*, channel: Channel, by: User) -> str:
    services.channel_test(channel=channel, by=by)
    return _("A test notice is on its way. How it went is said below in a few seconds.")


ACTIONS: dict[str, Callable[..., str]] = {"on": _on, "off": _off, "remove": _remove, "test": _test}


@project_page(Role.LEAD)
def notices(request: SignedInRequest, project: Project) -> HttpResponse:
    may_edit = at_least(project.my_role, Role.ADMIN)
    if request.method == "POST" and not may_edit:
        return HttpResponse(status=403)
    form = ChannelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            channel = services.channel_add(project=project, by=request.user, **form.cleaned_data)
        except services.ChannelRefused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Notices go to {target} from now on.").format(target=channel))
            return redirect("notices", project.slug)
    page = Paginator(selectors.deliveries_of(project), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "project": project,
        "nav": "notices",
        "may_edit": may_edit,
        "channels": selectors.channels_of(project, whole=may_edit),
        "form": form,
        "page": page,
        "mail_goes_nowhere": selectors.mail_goes_nowhere(),
    }
    return render(request, "notices/notices.html", context, status=422 if form.errors else 200)


@project_page(Role.ADMIN)
@require_POST
def act(request: SignedInRequest, project: Project, pk: int, action: str) -> HttpResponse:
    if action not in ACTIONS:
        raise Http404(f"Nothing called {action} can be done to a channel.")
    try:
        channel = selectors.channel_for(project, pk)
    except Channel.DoesNotExist as error:
        raise Http404(f"{project} has no channel {pk}.") from error
    messages.success(request, ACTIONS[action](channel=channel, by=request.user))
    return redirect("notices", project.slug)


@project_page(Role.ADMIN)
@require_POST
def retry(request: SignedInRequest, project: Project, delivery: UUID) -> HttpResponse:
    try:
        found = selectors.deliveries_of(project).get(pk=delivery)
    except Delivery.DoesNotExist as error:
        raise Http404(f"{project} has no such notice.") from error
    if services.delivery_retry(delivery=found):
        messages.success(request, _("It is tried once more."))
    return redirect("notices", project.slug)
