from django.urls import path, register_converter

from webapp.registry import views


class Verb:
    regex = "promote|roll-back"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(Verb, "champion_verb")

urlpatterns = [
    path("projects/<slug:slug>/models/", views.models, name="models"),
    path("projects/<slug:slug>/models/<int:number>/", views.model, name="model"),
    path(
        "projects/<slug:slug>/models/<int:number>/<champion_verb:verb>/",
        views.champion,
        name="champion_change",
    ),
]
