"""The guidelines: read them, see what changed and who has read them, write the next version."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from webapp.accounts.http import SignedInRequest
from webapp.annotate.given import answers_under
from webapp.projects import selectors, services
from webapp.projects.access import project_page
from webapp.projects.compare import lines_compared
from webapp.projects.forms import GuidelineExamples, GuidelinesForm, example_rows
from webapp.projects.models import GuidelineVersion, Project, Role
from webapp.projects.permissions import at_least

NAMED = 50  # people listed by name


def _version(project: Project, number: int) -> GuidelineVersion:
    found = GuidelineVersion.objects.filter(project=project, number=number).first()
    if found is None:
        raise Http404(f"{project} has no guidelines version {number}.")
    return found


@project_page()
@require_GET
def guidelines(request: SignedInRequest, project: Project, number: int | None = None) -> HttpResponse:
    """One version, the newest unless told otherwise, and the list of all."""
    versions = list(selectors.guidelines_of(project)[:200])
    newest = versions[0] if versions else None
    version = newest if number is None else _version(project, number)
    may_lead = at_least(project.my_role, Role.LEAD)
    given = answers_under(v.pk for v in versions)
    context: dict[str, Any] = {
        "project": project,
        "version": version,
        "newest": newest,
        "shown": version,
        "versions": [(v, given.get(v.pk, 0)) for v in versions],
        "may_lead": may_lead,
        "read": version is not None and selectors.guidelines_read_by(version, request.user),
    }
    if may_lead and version:
        context |= {
            "readers": selectors.guidelines_readers(version)[:NAMED],
            "waiting": selectors.guidelines_unread(version)[:NAMED],
        }
    return render(request, "projects/guidelines.html", context)


@project_page()
@require_GET
def guidelines_diff(request: SignedInRequest, project: Project) -> HttpResponse:
    """What changed from one version to another: ?from=1&to=2, both optional."""
    numbers = list(selectors.guidelines_of(project).values_list("number", flat=True))
    if len(numbers) < 2:
        return redirect("guidelines", project.slug)
    new = _number(request.GET.get("to"), numbers) or numbers[0]
    earlier = [n for n in numbers if n < new]
    old = _number(request.GET.get("from"), numbers) or (earlier[0] if earlier else numbers[-1])
    before, after = _version(project, old), _version(project, new)
    lines = lines_compared(_as_text(before), _as_text(after))
    context = {
        "project": project,
        "numbers": numbers,
        "before": before,
        "after": after,
        "lines": lines,
        "same": all(line.sign == " " for line in lines),
    }
    return render(request, "projects/guidelines_diff.html", context)


def _number(text: str | None, numbers: list[int]) -> int | None:
    return next((n for n in numbers if str(n) == text), None)


def _as_text(version: GuidelineVersion) -> str:
    """The text with its examples, one line each."""
    marks = {-1: "−", 0: "0", 1: "+", None: "·"}
    rows = [f"[{marks[e.get('mark')]}] {e['text']} ({e.get('why') or '–'})" for e in version.examples]
    return "\n".join([version.text, *(["", _("Examples"), *rows] if rows else [])])


@project_page()
@require_POST
def guidelines_read(request: SignedInRequest, project: Project, number: int) -> HttpResponse:
    services.guidelines_read(user=request.user, version=_version(project, number))
    return redirect("guidelines_version", project.slug, number)


@project_page(Role.LEAD)
def guidelines_write(request: SignedInRequest, project: Project) -> HttpResponse:
    """Write the next version. One button shows it as people will see it, one adds a row, one saves."""
    newest = selectors.guidelines_now(project.pk)
    action = request.POST.get("do", "")
    data: QueryDict | None = None
    if request.method == "POST":
        data = _one_row_more(request.POST) if action == "row" else request.POST
    start = {"text": newest.text if newest else ""}
    form = GuidelinesForm(data, initial=start)
    # With data no initial: a row as it was in the newest version is a row all the same.
    before = newest.examples if newest and data is None else None
    examples = GuidelineExamples(data, prefix="e", initial=before)
    context = {"project": project, "form": form, "examples": examples, "newest": newest}
    if request.method != "POST" or action == "row":
        form.errors.clear()
        return render(request, "projects/guidelines_write.html", context)
    if not (form.is_valid() and examples.is_valid()):
        return render(request, "projects/guidelines_write.html", context, status=422)
    text, rows = form.cleaned_data["text"], example_rows(examples)
    if action == "preview":
        return render(
            request, "projects/guidelines_write.html", context | {"preview": {"text": text, "examples": rows}}
        )
    if newest and newest.text.strip() == text.strip() and newest.examples == rows:
        messages.info(request, _("Nothing is changed, so there is no new version."))
    else:
        version = services.guidelines_add(project=project, text=text, examples=rows, by=request.user)
        services.guidelines_read(user=request.user, version=version)
        said = _("Guidelines version {number} is in use from now on; people are asked to read it.")
        messages.success(request, said.format(number=version.number))
    return redirect("guidelines", project.slug)


def _one_row_more(data: QueryDict) -> QueryDict:
    more = data.copy()
    rows = data.get("e-TOTAL_FORMS", "0")
    more["e-TOTAL_FORMS"] = str(min(int(rows) + 1, 50) if rows.isascii() and rows.isdigit() else 1)
    return more
