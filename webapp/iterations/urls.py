from django.urls import path

from webapp.iterations.views import iterations as views

urlpatterns = [
    path("projects/<slug:slug>/iterations/", views.iterations, name="iterations"),
    path("projects/<slug:slug>/iterations/start/", views.start, name="iteration_start"),
    path("projects/<slug:slug>/iterations/<int:number>/", views.iteration, name="iteration"),
    path("projects/<slug:slug>/iterations/<int:number>/live/", views.iteration_live, name="iteration_live"),
    path("projects/<slug:slug>/iterations/<int:number>/<slug:action>/", views.act, name="iteration_act"),
]
