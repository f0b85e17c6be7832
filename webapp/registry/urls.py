from django.urls import path, register_converter

from webapp.registry.views import models, weights


class Verb:
    regex = "promote|roll-back"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(Verb, "champion_verb")

MODELS = "projects/<slug:slug>/models/"
ONE = f"{MODELS}<int:number>/"
urlpatterns = [
    path(MODELS, models.models, name="models"),
    path(f"{MODELS}import/", weights.import_, name="model_import"),
    path(f"{MODELS}keep/", weights.keep, name="models_keep"),
    path(ONE, models.model, name="model"),
    path(f"{ONE}card.md", models.card, name="model_card"),
    path(f"{ONE}note/", models.note, name="model_note"),
    path(f"{ONE}check/", weights.inspect, name="model_check"),
    path(f"{ONE}merge/", weights.merge, name="model_merge"),
    path(f"{ONE}adapter.zip", weights.adapter, name="model_adapter"),
    path(f"{ONE}merged.zip", weights.merged, name="model_merged"),
    path(f"{ONE}<champion_verb:verb>/", models.champion, name="champion_change"),
]
