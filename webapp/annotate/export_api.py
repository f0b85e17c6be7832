"""The route that streams a project's annotation side."""

from __future__ import annotations

from typing import cast

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from loop.annotate.formats.trl_stepwise import NEUTRAL
from webapp.accounts.models import User
from webapp.annotate.exchange import file_response
from webapp.annotate.services.exporting import RAW, ExportRefused, format_names
from webapp.projects.models import Role
from webapp.projects.selectors import project_for


# The parameter is not called format: that one chooses how REST framework renders a reply.
@extend_schema(
    summary="Everything annotated, as JSONL; leads only",
    parameters=[
        OpenApiParameter("as", OpenApiTypes.STR, enum=format_names(), default=RAW),
        OpenApiParameter("neutral", OpenApiTypes.STR, enum=list(NEUTRAL), default="drop"),
    ],
    responses={
        (200, "application/jsonl"): OpenApiTypes.BINARY,
        400: OpenApiResponse(description="An unknown format."),
        403: OpenApiResponse(description="A member, but no lead."),
        404: OpenApiResponse(description="Unknown, or not yours."),
    },
)
@api_view(["GET"])
def export(request: Request, slug: str) -> StreamingHttpResponse | Response:
    project = project_for(cast(User, request.user), slug, Role.LEAD)
    wanted = request.query_params
    try:
        return file_response(project, wanted.get("as", RAW), wanted.get("neutral", "drop"))
    except ExportRefused as error:
        return Response({"problems": [str(error)]}, status=400)
