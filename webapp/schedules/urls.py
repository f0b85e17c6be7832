from django.urls import path

from webapp.schedules import views

urlpatterns = [
    path("projects/<slug:slug>/schedules/", views.schedules, name="schedules"),
    path("projects/<slug:slug>/schedules/new/", views.schedule_new, name="schedule_new"),
    path("projects/<slug:slug>/schedules/describe/", views.describe, name="schedule_describe"),
    path("projects/<slug:slug>/schedules/<int:pk>/", views.schedule, name="schedule"),
    path("projects/<slug:slug>/schedules/<int:pk>/<slug:action>/", views.act, name="schedule_act"),
]
