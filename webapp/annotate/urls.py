from django.urls import path

from webapp.annotate.views import item, search

urlpatterns = [
    path("projects/<slug:slug>/annotate/", item.annotate, name="annotate"),
    path("projects/<slug:slug>/tasks/", search.tasks, name="tasks"),
]
