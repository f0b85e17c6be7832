"""`/metrics`: for a Prometheus server, not for people."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from rest_framework.authtoken.models import Token

from webapp.metrics.exposition import Whetstone


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Everything in the text format, or as OpenMetrics where that is asked for."""
    if not _admitted(request.headers.get("Authorization", "")):
        refused = HttpResponse("a bearer token is needed\n", content_type="text/plain", status=401)
        refused["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return refused
    registry = CollectorRegistry()
    registry.register(Whetstone())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


def _admitted(header: str) -> bool:
    """Whether it bears the token set for this, or the API token of somebody of the staff."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        return False
    given = given.strip()
    if settings.METRICS_TOKEN and constant_time_compare(given, settings.METRICS_TOKEN):
        return True
    token = Token.objects.select_related("user").filter(key=given).first()
    return token is not None and token.user.is_active and (token.user.is_staff or token.user.is_superuser)
