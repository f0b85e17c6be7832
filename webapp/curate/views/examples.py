"""Examples: the list with its filters, one with its lineage, rejecting and accepting many at once."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Max, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from loop.records import RowKind
from webapp.accounts.http import SignedInRequest
from webapp.curate import lineage
from webapp.curate.forms import RejectForm
from webapp.curate.listing import CAP, SOURCES, STATES, Wanted, examples_of, examples_page
from webapp.curate.models import Example, Rejection
from webapp.curate.services import RejectionError, examples_accept, examples_reject, rejection_undo
from webapp.metrics.templatetags.numbers import whole
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least

LATEST = 5  # rejections under the list


@project_page()
@require_GET
def examples(request: SignedInRequest, project: Project) -> HttpResponse:
    wanted = Wanted.of(request.GET.dict())
    if "" in request.GET.values():  # a form sends its empty fields, too: an address is to be shared
        return redirect(f"{request.path}?{wanted.address()}")
    found = examples_page(project, wanted)
    may_lead = at_least(project.my_role, Role.LEAD)
    context = {
        "project": project,
        "nav": "examples",
        "wanted": wanted,
        "narrowed": len(wanted.asked()) - bool(wanted.q),
        "found": found,
        "cap": CAP,
        "older": wanted.address(before=found.older) if found.older else "",
        "newest": wanted.address() if wanted.before else None,
        "kinds": [k.value for k in RowKind],
        "sources": SOURCES,
        "states": STATES,
        "may_lead": may_lead,
        "rejections": project.rejections.select_related("by")[:LATEST] if may_lead else [],
    }
    return render(request, "curate/examples.html", context)


@project_page()
@require_GET
def example(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    found = lineage.example_for(project, pk)
    context = {
        "project": project,
        "nav": "examples",
        "example": found,
        "row": found.row,
        "pieces": lineage.pieces_of(found.row),
        "answers": lineage.answers_behind(found),
        "versions": lineage.versions_with(found),
        "age": lineage.age_in_words(project, found),
        "may_lead": at_least(project.my_role, Role.LEAD),
    }
    return render(request, "curate/example.html", context)


def _chosen(request: SignedInRequest, project: Project) -> tuple[Wanted, list[int], QuerySet[Example]]:
    """The ticked examples, or all that fit the filters up to the newest one that was counted."""
    wanted = Wanted.of(request.POST.dict())
    ticked = [int(pk) for pk in request.POST.getlist("pk") if pk.isascii() and pk.isdigit() and len(pk) < 19]
    if request.POST.get("all") != "1":
        return wanted, ticked, Example.objects.filter(project=project, pk__in=ticked)
    return wanted, [], examples_of(project, wanted)


@project_page(Role.LEAD)
@require_POST
def decide(request: SignedInRequest, project: Project) -> HttpResponse:
    """Reject or accept: first how many, then with a reason; nothing happens in between."""
    wanted, ticked, chosen = _chosen(request, project)
    accept = request.POST.get("do") == "accept"
    there = chosen.filter(rejected__isnull=not accept)
    back = f"{reverse('examples', args=[project.slug])}?{wanted.address()}"
    confirmed = request.POST.get("confirmed") == "1"
    form = RejectForm(request.POST if confirmed else None)
    if confirmed and (accept or form.is_valid()):
        if accept:
            count = examples_accept(project=project, examples=there, by=request.user)
            said = ngettext("%(n)s example is accepted again.", "%(n)s examples are accepted again.", count)
        else:
            try:
                made = examples_reject(
                    project=project,
                    examples=there,
                    reason=form.cleaned_data["reason"],
                    by=request.user,
                    filters=wanted.asked() if not ticked else {},
                )
            except RejectionError as error:
                messages.error(request, str(error))
                return redirect(back)
            count = made.count
            said = ngettext(
                "%(n)s example is rejected: later dataset versions leave it out.",
                "%(n)s examples are rejected: later dataset versions leave them out.",
                count,
            )
        messages.success(request, said % {"n": whole(count)})
        return redirect(back)
    newest = wanted.until or there.aggregate(newest=Max("pk"))["newest"]
    context = {
        "project": project,
        "nav": "examples",
        "accept": accept,
        "wanted": wanted,
        "ticked": ticked,
        "until": newest,
        "count": (there if ticked or newest is None else there.filter(pk__lte=newest)).count(),
        "form": form,
        "back": back,
    }
    return render(request, "curate/decide.html", context, status=422 if form.errors else 200)


@project_page(Role.LEAD)
@require_POST
def undo(request: SignedInRequest, project: Project, pk: int) -> HttpResponse:
    rejection = Rejection.objects.filter(project=project, pk=pk).first()
    if rejection is None:
        raise Http404(f"{project} has no rejection {pk}.")
    try:
        count = rejection_undo(rejection=rejection, by=request.user)
    except RejectionError as error:
        messages.error(request, str(error))
    else:
        said = ngettext("%(n)s example is accepted again.", "%(n)s examples are accepted again.", count)
        messages.success(request, said % {"n": whole(count)})
    return redirect("examples", project.slug)
