from django.urls import path

from webapp.curate.views import examples, freezing, versions

urlpatterns = [
    path("projects/<slug:slug>/examples/", examples.examples, name="examples"),
    path("projects/<slug:slug>/examples/decide/", examples.decide, name="examples_decide"),
    path("projects/<slug:slug>/examples/<int:pk>/", examples.example, name="example"),
    path("projects/<slug:slug>/rejections/<int:pk>/undo/", examples.undo, name="rejection_undo"),
    path("projects/<slug:slug>/datasets/", versions.versions, name="datasets"),
    path("projects/<slug:slug>/datasets/new/", freezing.freeze, name="dataset_new"),
    path("projects/<slug:slug>/datasets/new/preview/", freezing.preview, name="dataset_preview"),
    path("projects/<slug:slug>/datasets/diff/", versions.diff, name="datasets_diff"),
    path("projects/<slug:slug>/datasets/<int:number>/", versions.version, name="dataset"),
    path("projects/<slug:slug>/datasets/<int:number>/card.md", versions.card, name="dataset_card"),
    path("projects/<slug:slug>/datasets/<int:number>/export/", versions.export, name="dataset_export"),
]
