from django.urls import path

from webapp.annotate.views import (
    agreement,
    exchange,
    inbox,
    item,
    mine,
    people,
    queues,
    review,
    search,
    task,
    tree,
)

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
    path("projects/<slug:slug>/annotate/answers/", mine.answers, name="answers"),
    path(
        "projects/<slug:slug>/annotate/answers/<int:pk>/history/", mine.answer_history, name="answer_history"
    ),
    path("projects/<slug:slug>/tasks/<int:pk>/", task.task, name="task"),
    path("projects/<slug:slug>/tasks/<int:pk>/tree/", tree.tree, name="tree"),
    path("projects/<slug:slug>/tasks/<int:pk>/gold/", queues.gold_make, name="gold_make"),
    path("projects/<slug:slug>/products.jsonl", task.products_download, name="products_download"),
    path("projects/<slug:slug>/tasks/import/", exchange.tasks_import, name="tasks_import"),
    path("projects/<slug:slug>/tasks/export/", exchange.annotations_export, name="annotations_export"),
    path("projects/<slug:slug>/tasks/export/file", exchange.download, name="annotations_download"),
    path("projects/<slug:slug>/inbox/", inbox.inbox, name="inbox"),
    path("projects/<slug:slug>/queues/", queues.queues, name="queues"),
    path("projects/<slug:slug>/queues/<str:kind>/", queues.queue, name="queue"),
]
