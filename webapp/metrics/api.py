"""The routes of the API that give what was measured, and what stands out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import api_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts.models import User
from webapp.iterations.models import Iteration
from webapp.metrics import measures
from webapp.metrics.alarms_page import told_alone
from webapp.metrics.models import MetricValue
from webapp.metrics.schema import AlarmOut, DefinitionOut, IterationValuesOut, PageOut
from webapp.metrics.values import decided
from webapp.projects.models import Project, Role
from webapp.projects.permissions import at_least
from webapp.projects.selectors import project_for

MOST = 1000  # values of one page
_MISSING = OpenApiResponse(description="Unknown, or not yours.")
_BAD = OpenApiResponse(description="A parameter that cannot be read.")
_DETAIL = OpenApiParameter("detail", OpenApiTypes.BOOL, description="With each value's detail.")
_NAME = OpenApiParameter(
    "name", OpenApiTypes.STR, many=True, description="A metric, of all its sources, or `metric:source`."
)
_GROUP = OpenApiParameter(
    "group", OpenApiTypes.STR, many=True, description="Further: every metric of a group."
)


def _project(request: Request, slug: str) -> Project:
    return project_for(cast(User, request.user), slug)


@extend_schema(
    summary="Metric values of a project, iteration by iteration",
    parameters=[
        OpenApiParameter("iteration", OpenApiTypes.INT, many=True, description="Its number."),
        _NAME,
        _GROUP,
        OpenApiParameter("arm", OpenApiTypes.STR, enum=Iteration.Arm.values),
        _DETAIL,
        OpenApiParameter("limit", OpenApiTypes.INT, default=MOST, description=f"1 to {MOST}."),
        OpenApiParameter("after", OpenApiTypes.INT, description="Where the page before ended: see `next`."),
    ],
    responses={200: PageOut, 400: _BAD, 404: _MISSING},
    tags=["metrics"],
)
@api_view(["GET"])
def values(request: Request, slug: str) -> Response:
    wanted = request.query_params
    rows = _values(_project(request, slug), request)
    if numbers := wanted.getlist("iteration"):
        rows = rows.filter(iteration__number__in=[_whole("iteration", n) for n in numbers])
    if (arm := wanted.get("arm")) is not None:
        rows = rows.filter(iteration__arm=_one_of("arm", arm, Iteration.Arm.values))
    limit = _whole("limit", wanted.get("limit", str(MOST)))
    if not 1 <= limit <= MOST:
        raise ValidationError({"limit": f"1 to {MOST}"})
    rows = rows.filter(pk__gt=_whole("after", wanted.get("after", "0"))).order_by("pk")
    found = list(rows[: limit + 1])
    more = len(found) > limit
    query = [(k, v) for k in wanted for v in wanted.getlist(k) if k != "after"]
    following = urlencode([*query, ("after", found[limit - 1].pk)]) if more else ""
    address = request.build_absolute_uri(f"{request.path}?{following}") if more else None
    return Response({"values": list(_shown(found[:limit], request)), "next": address})


@extend_schema(
    summary="What can be measured: formulas and where they come from",
    responses={200: DefinitionOut(many=True), 404: _MISSING},
    tags=["metrics"],
)
@api_view(["GET"])
def definitions(request: Request, slug: str) -> Response:
    _project(request, slug)
    return Response([
        {
            "name": metric.name,
            "group": module.GROUP,
            "title": metric.title,
            "unit": metric.unit,
            "better": metric.better,
            "formula": metric.formula,
            "source": metric.source,
            "version": metric.version,
        }
        for module in measures.groups()
        for metric in module.METRICS
    ])  # fmt: skip


@extend_schema(
    summary="Everything that was measured of one iteration",
    parameters=[_NAME, _GROUP, _DETAIL],
    responses={200: IterationValuesOut, 400: _BAD, 404: _MISSING},
    tags=["metrics"],
)
@api_view(["GET"])
def iteration(request: Request, slug: str, number: int) -> Response:
    project = _project(request, slug)
    found = get_object_or_404(Iteration.objects.filter(project=project), number=number)
    rows = _values(project, request).filter(iteration=found).order_by("name")
    return Response(
        {
            "iteration": found.number,
            "recipe": found.recipe_name,
            "arm": found.arm,
            "stage": found.stage,
            "status": found.status,
            "values": list(_shown(rows, request)),
        }
    )


@extend_schema(
    summary=f"Alarms of a project, the latest {MOST} first",
    parameters=[
        OpenApiParameter("open", OpenApiTypes.BOOL, description="Only those nobody has dealt with."),
        OpenApiParameter("iteration", OpenApiTypes.INT, description="Its number."),
    ],
    responses={200: AlarmOut(many=True), 400: _BAD, 404: _MISSING},
    tags=["metrics"],
)
@api_view(["GET"])
def alarms(request: Request, slug: str) -> Response:
    project = _project(request, slug)
    told = at_least(project.my_role, Role.LEAD)
    rows = told_alone(project.alarms.select_related("iteration", "seen_by"), told)
    if _yes(request, "open"):
        rows = rows.filter(seen_at=None)
    if (number := request.query_params.get("iteration")) is not None:
        rows = rows.filter(iteration__number=_whole("iteration", number))
    return Response([
        {
            "iteration": alarm.iteration.number,
            "key": alarm.key,
            "level": alarm.level,
            "metric": alarm.metric,
            "text": alarm.text,
            "facts": alarm.facts,
            "held": alarm.held,
            "fired_at": alarm.fired_at,
            "seen_at": alarm.seen_at,
            "seen_by": alarm.seen_by.username if alarm.seen_by else None,
            "note": alarm.note,
        }
        for alarm in rows.order_by("-pk")[:MOST]
    ])  # fmt: skip


def _values(project: Project, request: Request) -> QuerySet[MetricValue]:
    """Values of iterations, narrowed by name and group as asked."""
    rows = decided(MetricValue.objects.filter(project=project, iteration__isnull=False, model_version=None))
    rows = rows.select_related("iteration").only(
        "name", "value", "low", "high", "n", "unit", "version", "created_at", "iteration__number",
        "iteration__arm", *(["detail"] if _yes(request, "detail") else []),
    )  # fmt: skip
    names = request.query_params.getlist("name")
    known = {module.GROUP: module for module in measures.groups()}
    for group in request.query_params.getlist("group"):
        names += [metric.name for metric in known[_one_of("group", group, known)].METRICS]
    if names:
        chosen = Q()
        for name in names:
            if "\0" in name:
                raise ValidationError({"name": "no metric is called so"})
            plain = name.removesuffix(":*")
            chosen |= Q(name=name) | (Q() if ":" in plain else Q(name__startswith=f"{plain}:"))
        rows = rows.filter(chosen)
    return rows


def _shown(rows: Any, request: Request) -> Iterator[dict[str, Any]]:
    groups = {metric.name: module.GROUP for module in measures.groups() for metric in module.METRICS}
    with_detail = _yes(request, "detail")
    for row in rows:
        metric = measures.metric_named(row.name)
        shown = {
            "iteration": row.iteration.number,
            "arm": row.iteration.arm,
            "name": row.name,
            "group": groups[metric.name] if metric else "",
            "value": row.value,
            "ci95": None if row.low is None or row.high is None else [row.low, row.high],
            "n": row.n,
            "unit": row.unit,
            "version": row.version,
            "measured_at": row.created_at,
        }
        yield shown | ({"detail": row.detail} if with_detail else {})


def _yes(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("1", "true", "yes")


def _whole(name: str, given: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise ValidationError({name: "a whole number is needed"})
    return int(given)


def _one_of(name: str, given: str, known: Any) -> str:
    if given not in known:
        raise ValidationError({name: f"{given!r} is none of {', '.join(known)}"})
    return given
