from django.urls import path

from webapp.annotate.views import agreement, item, people, review, search

urlpatterns = [
    path("projects/<slug:slug>/annotate/", item.annotate, name="annotate"),
    path("projects/<slug:slug>/annotate/answers/<int:pk>/", item.answer, name="answer"),
    path("projects/<slug:slug>/annotate/me/", people.me, name="me"),
    path("projects/<slug:slug>/tasks/", search.tasks, name="tasks"),
    path("projects/<slug:slug>/review/", review.review, name="review"),
    path("projects/<slug:slug>/review/<int:pk>/", review.review_task, name="review_task"),
    path("projects/<slug:slug>/people/", people.people, name="people"),
    path("projects/<slug:slug>/people/<int:user_id>/", people.person, name="person"),
    path("projects/<slug:slug>/agreement/", agreement.agreement, name="agreement"),
]
