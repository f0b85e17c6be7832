"""The annotation routes of the API. The pages' own JavaScript uses exactly these."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts.models import User
from webapp.annotate import alternatives, products, selectors, services
from webapp.annotate.answered import answered
from webapp.annotate.errors import AnnotateConflict, PayloadInvalid
from webapp.annotate.items import item_of, lease_seconds
from webapp.annotate.models import Annotation, Assignment, Regeneration
from webapp.annotate.schema import (
    AnsweredOut,
    ConflictOut,
    DraftIn,
    DraftOut,
    FlagIn,
    FlagOut,
    InvalidOut,
    LeaseOut,
    NextIn,
    NextOut,
    RegenerateIn,
    RegenerationOut,
    RevisedOut,
    ReviseIn,
    SkipIn,
    SubmitIn,
)
from webapp.projects.models import Project, Role
from webapp.projects.selectors import project_lean

_CONFLICT = OpenApiResponse(ConflictOut, "The world has moved on; `code` says how. The draft is kept.")
_INVALID = OpenApiResponse(InvalidOut, "One plain sentence per fault.")
_MISSING = OpenApiResponse(description="Unknown, or not yours.")


def _person(request: Request) -> User:
    """Who is asking; `IsAuthenticated` has turned everyone else away."""
    return cast(User, request.user)


def _route(
    *, method: str, takes: type[serializers.Serializer] | None, gives: Any, summary: str, code: int = 200
) -> Callable[..., Any]:
    """A JSON route: checks the body, turns the services' errors into 400, 404 and 409."""

    def wrap(view: Callable[..., Response]) -> Any:
        @wraps(view)
        def checked(request: Request, *args: Any, **kwargs: Any) -> Response:
            body: dict[str, Any] = {}
            if takes is not None:
                serializer = takes(data=request.data)
                if not serializer.is_valid():
                    faults = [f"{k}: {' '.join(map(str, v))}" for k, v in serializer.errors.items()]
                    return Response({"problems": faults}, status=status.HTTP_400_BAD_REQUEST)
                body = serializer.validated_data
            try:
                return view(request, *args, **kwargs, body=body)
            except PayloadInvalid as error:
                return Response({"problems": error.problems}, status=status.HTTP_400_BAD_REQUEST)
            except AnnotateConflict as error:
                answer = {"code": error.code, "detail": str(error), **error.data}
                return Response(answer, status=status.HTTP_409_CONFLICT)
            except (
                Assignment.DoesNotExist,
                Annotation.DoesNotExist,
                Regeneration.DoesNotExist,
            ) as error:
                raise Http404 from error

        replies = {code: gives, 400: _INVALID, 404: _MISSING, 409: _CONFLICT}
        return extend_schema(summary=summary, request=takes, responses=replies, tags=["annotate"])(
            api_view([method])(checked)
        )

    return wrap


@_route(method="POST", takes=NextIn, gives=NextOut, summary="Claim the next item, or resume the live one")
def task_next(request: Request, slug: str, *, body: dict[str, Any]) -> Response:
    project = project_lean(_person(request), slug, Role.ANNOTATOR)
    return Response(next_item(_person(request), project, kind=body.get("kind"), besides=body.get("besides")))


def next_item(
    user: User, project: Project, *, kind: str | None = None, besides: UUID | None = None
) -> dict[str, Any]:
    """What the page shows: the claimed item (or null) and how many more wait."""
    claim = services.assignment_claim(user=user, project=project, kind=kind, besides=besides)
    if claim is None:
        why = "quota" if selectors.quota_reached(project=project, user=user, kind=kind) else ""
        return {"item": None, "waiting": 0, "why": why}
    waiting = selectors.tasks_waiting_count(project=project, user=user)
    return {"item": item_of(claim), "waiting": waiting, "why": ""}


@_route(method="PUT", takes=DraftIn, gives=DraftOut, summary="Save the draft")
def draft(request: Request, token: UUID, *, body: dict[str, Any]) -> Response:
    saved = services.draft_save(
        user=_person(request), token=token, payload=body["payload"], revision=body["revision"]
    )
    reply = {"revision": saved.revision, "saved_at": saved.updated_at}
    return Response(reply | {"makes": products.claim_makes(saved.assignment, saved.payload)})


@_route(method="POST", takes=None, gives=LeaseOut, summary="Keep the claim alive")
def heartbeat(request: Request, token: UUID, *, body: dict[str, Any]) -> Response:
    claim = services.assignment_heartbeat(user=_person(request), token=token)
    return Response({"lease_seconds": lease_seconds(claim)})


@_route(method="POST", takes=SubmitIn, gives=AnsweredOut, summary="Submit the answer (safe to repeat)")
def submit(request: Request, token: UUID, *, body: dict[str, Any]) -> Response:
    made = services.annotation_submit(user=_person(request), assignment_token=token, **body)
    reply = {"annotation": made.pk, "revision": made.revision, "outcome": made.outcome}
    return Response(reply | answered(made))


@_route(method="POST", takes=FlagIn, gives=FlagOut, summary="Tell the lead something about an item")
def flag(request: Request, token: UUID, *, body: dict[str, Any]) -> Response:
    made = services.flag_raise(user=_person(request), token=token, note=body["note"])
    return Response({"flag": made.pk})


@_route(method="POST", takes=SkipIn, gives=LeaseOut, summary="Skip: give the item back, with a reason")
def skip(request: Request, token: UUID, *, body: dict[str, Any]) -> Response:
    claim = services.assignment_release(user=_person(request), token=token, reason=body["reason"])
    return Response({"lease_seconds": lease_seconds(claim)})


@_route(
    method="POST",
    takes=RegenerateIn,
    gives=RegenerationOut,
    summary="Ask the model for other ways to go on from a step",
    code=status.HTTP_202_ACCEPTED,
)
def regenerate(request: Request, token: UUID, *, body: dict[str, Any]) -> Response:
    asked = services.regeneration_ask(
        user=_person(request),
        token=token,
        step=body["step"],
        count=body["count"],
        corrections=body["prefix_corrections"],
    )
    return Response(_regeneration(request, asked), status=status.HTTP_202_ACCEPTED)


@_route(method="GET", takes=None, gives=RegenerationOut, summary="How far alternatives have come")
def regeneration(request: Request, pk: UUID, *, body: dict[str, Any]) -> Response:
    return Response(_regeneration(request, alternatives.regeneration_for(_person(request), pk)))


@_route(method="POST", takes=None, gives=RegenerationOut, summary="Alternatives are not wanted any more")
def regeneration_cancel(request: Request, pk: UUID, *, body: dict[str, Any]) -> Response:
    return Response(_regeneration(request, services.regeneration_cancel(user=_person(request), pk=pk)))


def _regeneration(request: Request, row: Regeneration) -> dict[str, Any]:
    checked = alternatives.checked_for(_person(request), row)
    return alternatives.regenerations_shown([row], checked=checked)[0]


@_route(method="PUT", takes=ReviseIn, gives=RevisedOut, summary="Change one's own answer")
def annotation(request: Request, pk: int, *, body: dict[str, Any]) -> Response:
    made = services.annotation_revise(user=_person(request), pk=pk, **body)
    return Response({"annotation": made.pk, "revision": made.revision, "outcome": made.outcome})
