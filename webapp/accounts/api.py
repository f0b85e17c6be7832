"""The route of a person's own settings."""

from __future__ import annotations

from typing import cast

from drf_spectacular.utils import OpenApiResponse, extend_schema
from pydantic import ValidationError
from rest_framework import serializers as s
from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts.comfort import problems
from webapp.accounts.models import User
from webapp.accounts.services import comfort_save


class SettingsIn(s.Serializer):
    keys = s.DictField(child=s.CharField(), required=False, help_text="Action -> key, only what differs.")
    theme = s.ChoiceField(["system", "light", "dark"], required=False)
    font = s.ChoiceField(["s", "m", "l", "xl"], required=False)
    motion = s.ChoiceField(["system", "reduced"], required=False)
    language = s.CharField(required=False, allow_blank=True, help_text="Empty: what the browser asks for.")
    advance = s.BooleanField(required=False, help_text="On to the next step once one is rated.")


class SettingsOut(SettingsIn):
    pass


class SettingsInvalidOut(s.Serializer):
    problems = s.ListField(child=s.CharField())


@extend_schema(
    summary="Change one's own settings; those left out stay",
    request=SettingsIn,
    responses={200: SettingsOut, 400: OpenApiResponse(SettingsInvalidOut, "One sentence per fault.")},
    tags=["me"],
)
@api_view(["PUT"])
def settings(request: Request) -> Response:
    changes = request.data
    if not isinstance(changes, dict):
        return Response({"problems": ["Send a JSON object."]}, status=status.HTTP_400_BAD_REQUEST)
    try:
        saved = comfort_save(user=cast(User, request.user), changes=changes)
    except ValidationError as error:
        return Response({"problems": problems(error)}, status=status.HTTP_400_BAD_REQUEST)
    return Response(saved.model_dump())
