from django.contrib import admin
from django.urls import include, path

from webapp.health import healthz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("", include("webapp.accounts.urls")),
    path("", include("webapp.projects.urls")),
    path("", include("webapp.annotate.urls")),
    path("", include("webapp.curate.urls")),
    path("", include("webapp.iterations.urls")),
    path("", include("webapp.metrics.urls")),
    path("", include("webapp.registry.urls")),
    path("", include("webapp.playground.urls")),
    path("", include("webapp.schedules.urls")),
    path("", include("webapp.notices.urls")),
    path("api/", include("webapp.api.urls")),
    path("admin/", admin.site.urls),
]
