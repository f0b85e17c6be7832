"""What an answer means for its iteration: the page hears of it, and the last one moves it on."""

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from webapp.annotate.models import Annotation
from webapp.annotate.selectors import tasks_open
from webapp.annotate.signals import annotation_submitted
from webapp.events import notify
from webapp.iterations.services import iteration_tick


@receiver(annotation_submitted, dispatch_uid="iterations.answer")
def on_answer(annotation: Annotation, **_: Any) -> None:
    task = annotation.task
    iteration = task.iteration
    if iteration is None:
        return
    notify(project_id=task.project_id, iteration_id=iteration.pk, what="annotation")
    if not tasks_open(iteration):
        transaction.on_commit(lambda: iteration_tick(iteration_id=iteration.pk), robust=True)
