"""The playground's pages: one's talks, one talk live. For leads; a talk is its author's alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from webapp.accounts.http import SignedInRequest
from webapp.annotate.leased import LIVE
from webapp.events import ticket_for
from webapp.playground import selectors, services
from webapp.playground.models import Session, Vote
from webapp.projects.access import project_page
from webapp.projects.models import Project, Role

MOST_SHOWN = 30  # of one's talks
CHOICES = {
    "left": (gettext_lazy("A is better"), "a"),
    "right": (gettext_lazy("B is better"), "b"),
    "tie": (gettext_lazy("Equally good"), "t"),
    "both_bad": (gettext_lazy("Both bad"), "x"),
}


class SessionForm(forms.Form):
    left = forms.ChoiceField(label=gettext_lazy("Version"))
    right = forms.ChoiceField(label=gettext_lazy("Beside it"), required=False)
    blind = forms.BooleanField(
        label=gettext_lazy("Blind: shuffle the sides and hide their names until I vote"), required=False
    )
    temperature = forms.FloatField(
        label=gettext_lazy("Temperature"),
        min_value=0,
        max_value=2,
        initial=0.7,
        widget=forms.NumberInput(attrs={"step": "0.1"}),
        help_text=gettext_lazy("0 always gives the likeliest words; higher is more varied."),
    )
    max_new_tokens = forms.IntegerField(
        label=gettext_lazy("Longest answer, in tokens"), min_value=1, max_value=4096, initial=256
    )
    text = forms.CharField(
        label=gettext_lazy("Message"), widget=forms.Textarea(attrs={"rows": 3}), max_length=services.LONGEST
    )

    def __init__(self, *args: Any, project: Project, **more: Any) -> None:
        super().__init__(*args, **more)
        self.voices = {str(v.number): v for v in selectors.voices_of(project)}
        named = [
            (number, f"v{number}" + (f" ★ {_('champion')}" if v.pk == project.champion_id else ""))
            for number, v in self.voices.items()
        ]
        self.fields["left"].choices = named  # type: ignore[attr-defined]
        self.fields["right"].choices = [("", _("nobody")), *named]  # type: ignore[attr-defined]
        champion = next((number for number, v in self.voices.items() if v.pk == project.champion_id), None)
        self.fields["left"].initial = champion

    @property
    def versions(self) -> list[Any]:
        chosen = (self.cleaned_data["left"], self.cleaned_data["right"])
        return [self.voices[number] for number in chosen if number]


@project_page(Role.LEAD)
def playground(request: SignedInRequest, project: Project) -> HttpResponse:
    given = {name: request.GET[name] for name in ("left", "right") if name in request.GET}
    form = SessionForm(request.POST or None, project=project, initial=given)
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        try:
            session = services.session_start(
                project=project,
                by=request.user,
                versions=form.versions,
                blind=asked["blind"],
                temperature=asked["temperature"],
                max_new_tokens=asked["max_new_tokens"],
            )
        except services.PlaygroundError as error:
            form.add_error(None, str(error))
        else:
            return _said(request, session, asked["text"])
    context = {
        "project": project,
        "nav": "playground",
        "form": form,
        "sessions": selectors.sessions_of(project, request.user)[:MOST_SHOWN],
        "preferences": selectors.preferences_of(project),
    }
    return render(request, "playground/start.html", context, status=422 if form.errors else 200)


def _said(request: SignedInRequest, session: Session, text: str) -> HttpResponse:
    address = reverse("playground_talk", args=[session.project.slug, session.pk])
    try:
        services.turn_ask(session=session, by=request.user, text=text)
    except services.PlaygroundError as error:
        messages.error(request, str(error))
        request.session[f"unsent {session.pk}"] = text  # what was written must not be lost
        return redirect(address)
    return redirect(f"{address}#latest")


def _context(request: SignedInRequest, project: Project, pk: UUID) -> dict[str, Any]:
    session = selectors.session_for(project, request.user, pk)
    turns = list(session.turns.all())
    vote = getattr(session, "vote", None)
    hidden = session.blind and vote is None
    open_turn = next((turn for turn in turns if turn.state in LIVE), None)
    answered = any(turn.state == "done" for turn in turns)
    return {
        "project": project,
        "nav": "playground",
        "session": session,
        "turns": [(turn, _sides(session, turn)) for turn in turns],
        "names": _names(session, hidden),
        "hidden": hidden,
        "vote": vote,
        "voted": CHOICES[vote.choice][0] if vote else "",
        "winner": {"left": session.left, "right": session.right}.get(vote.choice) if vote else None,
        "open": open_turn,
        "words": selectors.words_for(open_turn) if open_turn else "",
        "choices": [(c, *CHOICES[c]) for c in Vote.Choice.values] if hidden and answered else [],
    }


def _names(session: Session, hidden: bool) -> list[str]:
    versions = [v for v in (session.left, session.right) if v]
    if hidden:
        return ["A", "B"]
    letters = ["A · ", "B · "] if session.blind else ["", ""]
    return [f"{letter}v{version.number}" for letter, version in zip(letters, versions, strict=False)]


def _sides(session: Session, turn: Any) -> list[dict[str, Any]]:
    """One entry per side: what it answered, or has written so far."""
    sides: list[dict[str, Any]] = []
    for side in range(2 if session.right_id else 1):
        if turn.state == "done":
            sides.append(turn.answers[side])
        else:
            sides.append({"text": turn.partial[side] if side < len(turn.partial) else "", "writing": True})
    return sides


@project_page(Role.LEAD)
@require_GET
def talk(request: SignedInRequest, project: Project, pk: UUID) -> HttpResponse:
    context = _context(request, project, pk)
    context |= {
        "live_url": f"/events/{ticket_for(project_id=project.pk, topic=str(pk))}",
        "fragment_url": reverse("playground_live", args=[project.slug, pk]),
        "unsent": request.session.pop(f"unsent {pk}", ""),
    }
    return render(request, "playground/talk.html", context)


@project_page(Role.LEAD)
@require_GET
def talk_live(request: SignedInRequest, project: Project, pk: UUID) -> HttpResponse:
    """The part of a talk that changes while it is written."""
    response = render(request, "playground/live.html", _context(request, project, pk))
    response["Cache-Control"] = "no-store"
    return response


@project_page(Role.LEAD)
@require_POST
def say(request: SignedInRequest, project: Project, pk: UUID) -> HttpResponse:
    return _said(request, selectors.session_for(project, request.user, pk), request.POST.get("text", ""))


@project_page(Role.LEAD)
@require_POST
def cancel(request: SignedInRequest, project: Project, pk: UUID) -> HttpResponse:
    if not services.turn_cancel(session=selectors.session_for(project, request.user, pk), by=request.user):
        messages.info(request, _("Nothing was being written."))
    return redirect("playground_talk", project.slug, pk)


@project_page(Role.LEAD)
@require_POST
def vote(request: SignedInRequest, project: Project, pk: UUID) -> HttpResponse:
    session = selectors.session_for(project, request.user, pk)
    try:
        services.vote_cast(session=session, by=request.user, choice=request.POST.get("choice", ""))
    except services.PlaygroundError as error:
        messages.error(request, str(error))
    return redirect("playground_talk", project.slug, pk)


@project_page(Role.LEAD)
@require_POST
def again(request: SignedInRequest, project: Project, pk: UUID) -> HttpResponse:
    """The same versions once more, with nothing said; a blind talk is shuffled anew."""
    try:
        session = services.session_again(
            session=selectors.session_for(project, request.user, pk), by=request.user
        )
    except services.PlaygroundError as error:
        messages.error(request, str(error))
        return redirect("playground_talk", project.slug, pk)
    return redirect("playground_talk", project.slug, session.pk)
