"""Who is in a project and with what role: for its administrators."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from webapp.accounts.http import SignedInRequest
from webapp.projects import selectors, services
from webapp.projects.access import project_page
from webapp.projects.forms import MemberForm, RoleForm
from webapp.projects.models import Membership, Project, Role


def _member(project: Project, user_id: int) -> Membership:
    found = selectors.members_of(project).filter(user_id=user_id).first()
    if found is None:
        raise Http404("That person is not a member of this project.")
    return found


@project_page(Role.ADMIN)
def members(request: SignedInRequest, project: Project) -> HttpResponse:
    form = MemberForm()
    if request.method == "POST" and "user" in request.POST:
        return _change_role(request, project)
    if request.method == "POST":
        form = MemberForm(request.POST)
        if form.is_valid():
            try:
                member, made = services.member_add(project=project, by=request.user, **form.cleaned_data)
            except services.ProjectError as error:
                form.add_error(None, f"Not added: {error}.")
            else:
                said = f"{member.user} is a member now" + (", with a new account." if made else ".")
                messages.success(request, said)
                return redirect("members", project.slug)
    context = {
        "project": project,
        "nav": "members",
        "form": form,
        "members": selectors.members_of(project),
        "roles": Role.choices,
        "audit": selectors.audit_of(project),
    }
    return render(request, "projects/members.html", context, status=422 if form.errors else 200)


def _change_role(request: SignedInRequest, project: Project) -> HttpResponse:
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "That role does not exist.")
        return redirect("members", project.slug)
    member = _member(project, form.cleaned_data["user"])
    try:
        member = services.member_set(
            project=project, user=member.user, role=form.cleaned_data["role"], by=request.user
        )
    except services.ProjectError as error:
        messages.error(request, f"{error}.")
    else:
        messages.success(request, f"{member.user} is {Role(member.role).label.lower()} now.")
    return redirect("members", project.slug)


@project_page(Role.ADMIN)
@require_POST
def member_remove(request: SignedInRequest, project: Project, user_id: int) -> HttpResponse:
    member = _member(project, user_id)
    try:
        services.member_remove(project=project, user=member.user, by=request.user)
    except services.ProjectError as error:
        messages.error(request, f"{error}.")
    else:
        messages.success(request, f"{member.user} is not a member any more. Their annotations stay.")
    return redirect("members", project.slug)
