"""The projects routes of the API."""

from __future__ import annotations

from typing import cast

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts.models import User
from webapp.projects import services
from webapp.projects.models import GuidelineVersion
from webapp.projects.selectors import projects_of


@extend_schema(
    summary="Keep that I have read this version of the guidelines (safe to repeat)",
    request=None,
    responses={204: None, 404: OpenApiResponse(description="Unknown, or of a project that is not yours.")},
    tags=["projects"],
)
@api_view(["POST"])
def guidelines_read(request: Request, pk: int) -> Response:
    person = cast(User, request.user)
    version = GuidelineVersion.objects.filter(pk=pk, project__in=projects_of(person)).first()
    if version is None:
        raise Http404
    services.guidelines_read(user=person, version=version)
    return Response(status=204)
