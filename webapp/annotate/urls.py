from django.urls import path

from webapp.annotate import views

urlpatterns = [
    path("projects/<slug:slug>/annotate/", views.annotate, name="annotate"),
]
