from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from webapp.accounts import api as accounts
from webapp.annotate import api as annotate
from webapp.annotate import export_api
from webapp.metrics import api as metrics
from webapp.projects import api as projects

app_name = "api"
urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    # Split: the content security policy allows no script within the page.
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="docs"),
    path("projects/<slug:slug>/tasks/next", annotate.task_next, name="task_next"),
    path("projects/<slug:slug>/annotations/export", export_api.export, name="annotations_export"),
    path("projects/<slug:slug>/metrics", metrics.values, name="metric_values"),
    path("projects/<slug:slug>/metrics/definitions", metrics.definitions, name="metric_definitions"),
    path("projects/<slug:slug>/iterations/<int:number>/metrics", metrics.iteration, name="iteration_values"),
    path("projects/<slug:slug>/alarms", metrics.alarms, name="alarm_list"),
    path("assignments/<uuid:token>/draft", annotate.draft, name="draft"),
    path("assignments/<uuid:token>/heartbeat", annotate.heartbeat, name="heartbeat"),
    path("assignments/<uuid:token>/submit", annotate.submit, name="submit"),
    path("assignments/<uuid:token>/flag", annotate.flag, name="flag"),
    path("assignments/<uuid:token>/skip", annotate.skip, name="skip"),
    path("assignments/<uuid:token>/regenerate", annotate.regenerate, name="regenerate"),
    path("regenerations/<uuid:pk>", annotate.regeneration, name="regeneration"),
    path("regenerations/<uuid:pk>/cancel", annotate.regeneration_cancel, name="regeneration_cancel"),
    path("me/settings", accounts.settings, name="settings"),
    path("annotations/<int:pk>", annotate.annotation, name="annotation"),
    path("guidelines/<int:pk>/read", projects.guidelines_read, name="guidelines_read"),
]
