from django.urls import path

from webapp.annotate.views import item

urlpatterns = [
    path("projects/<slug:slug>/annotate/", item.annotate, name="annotate"),
]
