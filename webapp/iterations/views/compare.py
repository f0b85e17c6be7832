"""Two model versions on the same prompts, side by side. The whole view is in the address."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from loop.records import Split
from webapp.accounts.http import SignedInRequest
from webapp.events import ticket_for
from webapp.iterations.selectors import compared_blindly, measuring_of
from webapp.iterations.services import evaluation_start
from webapp.projects.access import project_page
from webapp.projects.compare import words_compared
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least
from webapp.registry.comparing import ALL, SHOWS, Pair, both_page, counts_of, outcomes_shown, pairs_of
from webapp.registry.models import Evaluation, EvaluationOutcome, ModelVersion
from webapp.registry.selectors import measurement_of

PER_PAGE = 10
SPLITS = (Split.HELDOUT.value, Split.PROBE.value)
WORDS = {
    "turned_right": gettext_lazy("Turned right"),
    "turned_wrong": gettext_lazy("Turned wrong"),
    "both_right": gettext_lazy("Both right"),
    "both_wrong": gettext_lazy("Both wrong"),
    ALL: gettext_lazy("All"),
}
NEW_PROMPTS = 2000  # measured where neither version was before
NEW_SAMPLING = {"temperature": 0.0, "max_new_tokens": 160}


def _policies(project: Project) -> list[ModelVersion]:
    return list(project.model_versions.filter(role=ModelVersion.Role.POLICY).order_by("-number"))


def _chosen(project: Project, versions: list[ModelVersion], a: str, b: str) -> list[ModelVersion | None]:
    """The two that the address names; by default the champion and what it was trained from."""
    numbered = {str(version.number): version for version in versions}
    champion = next((v for v in versions if v.pk == project.champion_id), versions[0] if versions else None)
    earlier = [v for v in versions if champion and v.number < champion.number]
    before = next(
        (v for v in earlier if champion and v.pk == champion.parent_id), earlier[0] if earlier else None
    )
    return [numbered.get(a) if a else before, numbered.get(b) if b else champion]


@vary_on_headers("HX-Request")
@project_page()
@require_GET
def compare(request: SignedInRequest, project: Project) -> HttpResponse:
    asked = request.GET
    versions = _policies(project)
    before, after = _chosen(project, versions, asked.get("a", ""), asked.get("b", ""))
    split = asked.get("split") if asked.get("split") in SPLITS else SPLITS[0]
    show = asked.get("show") if asked.get("show") in WORDS else "turned_wrong"
    text = asked.get("q", "").replace("\0", "").strip()
    may_lead = at_least(project.my_role, Role.LEAD)
    context: dict[str, Any] = {
        "project": project, "nav": "models", "versions": versions, "before": before, "after": after,
        "splits": SPLITS, "split": split, "show": show, "q": text, "same": before == after,
        "may_lead": may_lead,
    }  # fmt: skip
    if not may_lead and compared_blindly(project):
        return render(request, "registry/compare.html", {**context, "blind": True})
    pairs = pairs_of(before, after, str(split)) if before and after and before != after else []
    pair = next((p for p in pairs if p.after.prompts_sha.startswith(asked.get("list", ""))), None)
    if before and after and before != after and pair is None:
        measuring = measuring_of(before, after, str(split))
        context |= {"measuring": measuring, "live_url": f"/events/{ticket_for(project_id=project.pk)}"}
    if request.headers.get("HX-Request"):  # the part that changes while they are measured
        measuring = context.get("measuring")
        over = measuring is None or not measuring.moving
        response = render(request, "registry/measuring.html", {"measuring": measuring, "over": over})
        response["Cache-Control"] = "no-store"
        return response
    if before and after and pair:
        named = {"a": before.number, "b": after.number, "split": split, "list": asked.get("list", "")}
        kept = urlencode({k: v for k, v in named.items() if v})
        context |= _compared(pair, str(show), text, asked.get("page"))
        query = f"{kept}&{urlencode({'show': show, 'q': text})}&"
        context |= {"pairs": pairs, "pair": pair, "kept": kept, "query": query}
    return render(request, "registry/compare.html", context)


def _compared(pair: Pair, show: str, text: str, number: str | None) -> dict[str, Any]:
    page, rows = both_page(pair, outcomes_shown(pair, show, text), number, PER_PAGE)
    counts = counts_of(pair)
    totals = {**counts.shown, ALL: counts.paired + counts.left_out}
    return {
        "page": page,
        "rows": [(both, *words_compared(_text(both.before), _text(both.after))) for both in rows],
        "counts": counts,
        "tabs": [(name, WORDS[name], totals[name]) for name in (*SHOWS, ALL)],
        "sides": [_side(pair.before), _side(pair.after)],
    }


def _text(outcome: EvaluationOutcome) -> str:
    return outcome.response.text if outcome.response is not None else ""


def _side(evaluation: Evaluation) -> dict[str, Any]:
    n = evaluation.n or None
    return {
        "measured": measurement_of(evaluation),
        "tokens": evaluation.tokens / n if n and evaluation.tokens else None,
        "seconds": evaluation.seconds / n if n and evaluation.seconds else None,
    }


@project_page(Role.LEAD)
@require_POST
def measure(request: SignedInRequest, project: Project) -> HttpResponse:
    """Measure both versions on one list of prompts: that of the latest measurement of either, else anew."""
    versions = _policies(project)
    before, after = _chosen(project, versions, request.POST.get("a", ""), request.POST.get("b", ""))
    split = request.POST.get("split") if request.POST.get("split") in SPLITS else SPLITS[0]
    back = reverse("models_compare", args=[project.slug])
    if before is None or after is None or before == after:
        messages.error(request, _("Choose two different versions."))
        return redirect(back)
    ids = list(project.prompts.filter(split=split).order_by("id").values_list("id", flat=True)[:NEW_PROMPTS])
    sampling: dict[str, Any] = dict(NEW_SAMPLING)
    known = Evaluation.objects.filter(model_version__in=(before, after), split=split, done=True, n__gt=0)
    if latest := known.exclude(sampling__has_any_keys=("shots", "best_of")).order_by("-id").first():
        sampling = latest.sampling or sampling
        ids = list(latest.outcomes.order_by("prompt_id").values_list("prompt_id", flat=True))
    if not ids:
        messages.error(request, _("This project has no such prompts to measure on. Import some first."))
    else:
        for version in (before, after):
            evaluation_start(version=version, split=str(split), prompt_ids=ids, sampling=sampling)
        messages.success(
            request, _("Queued for the model workers. This page shows the comparison once both are measured.")
        )
    return redirect(f"{back}?{urlencode({'a': before.number, 'b': after.number, 'split': split})}")
