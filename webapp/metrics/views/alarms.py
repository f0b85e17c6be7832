from typing import Any

from django.http import Http404, HttpRequest, HttpResponse


def alarms(request: HttpRequest, **_: Any) -> HttpResponse:
    raise Http404


def rule(request: HttpRequest, **_: Any) -> HttpResponse:
    raise Http404


def seen(request: HttpRequest, **_: Any) -> HttpResponse:
    raise Http404
