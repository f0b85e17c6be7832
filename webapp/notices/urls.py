from django.urls import path

from webapp.notices import views

urlpatterns = [
    path("projects/<slug:slug>/notices/", views.notices, name="notices"),
    path("projects/<slug:slug>/notices/again/<uuid:delivery>/", views.retry, name="notice_retry"),
    path("projects/<slug:slug>/notices/<int:pk>/<slug:action>/", views.act, name="notice_act"),
]
