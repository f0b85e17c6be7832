from django.urls import path

from webapp.iterations.views import compare, runs
from webapp.iterations.views import iterations as views

urlpatterns = [
    path("projects/<slug:slug>/iterations/", views.iterations, name="iterations"),
    path("projects/<slug:slug>/iterations/start/", views.start, name="iteration_start"),
    path("projects/<slug:slug>/iterations/<int:number>/", views.iteration, name="iteration"),
    path("projects/<slug:slug>/iterations/<int:number>/live/", views.iteration_live, name="iteration_live"),
    path("projects/<slug:slug>/iterations/<int:number>/<slug:action>/", views.act, name="iteration_act"),
    path("projects/<slug:slug>/models/compare/", compare.compare, name="models_compare"),
    path("projects/<slug:slug>/models/compare/measure/", compare.measure, name="models_measure"),
    path("projects/<slug:slug>/runs/", runs.runs, name="runs"),
    path("projects/<slug:slug>/runs/new/", runs.new, name="run_new"),
    path("projects/<slug:slug>/runs/preview/<int:pk>/", runs.preview_live, name="run_preview"),
    path("projects/<slug:slug>/runs/<int:pk>/", runs.run, name="run"),
    path("projects/<slug:slug>/runs/<int:pk>/live/", runs.run_live, name="run_live"),
    path("projects/<slug:slug>/runs/<int:pk>/points/", runs.run_points, name="run_points"),
    path("projects/<slug:slug>/runs/<int:pk>/curve.csv", runs.run_csv, name="run_csv"),
    path("projects/<slug:slug>/runs/<int:pk>/<slug:action>/", runs.act, name="run_act"),
]
