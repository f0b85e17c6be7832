from django.urls import path

from webapp.playground import views

urlpatterns = [
    path("projects/<slug:slug>/playground/", views.playground, name="playground"),
    path("projects/<slug:slug>/playground/<uuid:pk>/", views.talk, name="playground_talk"),
    path("projects/<slug:slug>/playground/<uuid:pk>/live/", views.talk_live, name="playground_live"),
    path("projects/<slug:slug>/playground/<uuid:pk>/say/", views.say, name="playground_say"),
    path("projects/<slug:slug>/playground/<uuid:pk>/cancel/", views.cancel, name="playground_cancel"),
    path("projects/<slug:slug>/playground/<uuid:pk>/vote/", views.vote, name="playground_vote"),
    path("projects/<slug:slug>/playground/<uuid:pk>/again/", views.again, name="playground_again"),
]
