from django.urls import path

from webapp.projects import views

urlpatterns = [
    path("", views.home, name="home"),
    path("projects/<slug:slug>/", views.project, name="project"),
    path("projects/<slug:slug>/live/", views.project_live, name="project_live"),
    path("projects/<slug:slug>/guidelines/", views.guidelines, name="guidelines"),
    path("projects/<slug:slug>/guidelines/write/", views.guidelines_write, name="guidelines_write"),
    path("projects/<slug:slug>/guidelines/diff/", views.guidelines_diff, name="guidelines_diff"),
    path("projects/<slug:slug>/guidelines/<int:number>/", views.guidelines, name="guidelines_version"),
    path("projects/<slug:slug>/guidelines/<int:number>/read/", views.guidelines_read, name="guidelines_read"),
    path("projects/<slug:slug>/members/", views.members, name="members"),
    path("projects/<slug:slug>/members/<int:user_id>/remove/", views.member_remove, name="member_remove"),
    path("projects/<slug:slug>/prompts/", views.prompts, name="prompts"),
    path("projects/<slug:slug>/prompts/import/", views.prompts_import, name="prompts_import"),
    path("projects/<slug:slug>/prompts/<int:pk>/", views.prompt, name="prompt"),
]
