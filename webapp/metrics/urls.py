from django.urls import path

from webapp.metrics.views import (
    alarms,
    compare,
    figures,
    lineage,
    metrics,
    operations,
    prometheus,
    report,
    system,
    trust,
)

urlpatterns = [
    path("projects/<slug:slug>/metrics/", metrics.metrics, name="metrics"),
    path("projects/<slug:slug>/metrics/<str:name>/", metrics.metric, name="metric"),
    path("projects/<slug:slug>/compare/", compare.compare, name="iterations_compare"),
    path("projects/<slug:slug>/figures/<slug:key>.<str:kind>", figures.figure, name="figure"),
    path("projects/<slug:slug>/lineage/", lineage.lineage, name="lineage"),
    path("projects/<slug:slug>/trust/", trust.trust, name="trust"),
    path("projects/<slug:slug>/operations/", operations.operations, name="operations"),
    path("projects/<slug:slug>/alarms/", alarms.alarms, name="alarms"),
    path("projects/<slug:slug>/alarms/rules/<slug:key>/", alarms.rule, name="alarm_rule"),
    path("projects/<slug:slug>/alarms/<int:pk>/seen/", alarms.seen, name="alarm_seen"),
    path(
        "projects/<slug:slug>/iterations/<int:number>/report.<str:kind>",
        report.report,
        name="iteration_report",
    ),
    path("system/", system.system, name="system"),
    path("system/live/", system.live, name="system_live"),
    path("system/figures/<slug:key>.<str:kind>", system.figure, name="system_figure"),
    path("metrics", prometheus.metrics, name="prometheus"),
]
