"""What an answer means for its iteration: the page hears of it, and the last one moves it on."""

from typing import Any

from django.db import transaction
from django.dispatch import receiver

from webapp.annotate.models import Annotation, TaskState
from webapp.annotate.selectors import tasks_open
from webapp.annotate.signals import annotation_submitted
from webapp.events import notify
from webapp.iterations.services import iteration_tick, versions_at_work
from webapp.projects.models import Project
from webapp.registry.signals import versions_needed


@receiver(annotation_submitted, dispatch_uid="iterations.answer")
def on_answer(annotation: Annotation, **_: Any) -> None:
    task = annotation.task
    pk = task.iteration_id
    if pk is None:
        return
    notify(project_id=task.project_id, iteration_id=pk, what="annotation")
    # The task as the answer left it: while it is open itself, nothing is to be asked.
    if task.state != TaskState.OPEN and not tasks_open(pk, task.purpose):
        transaction.on_commit(lambda: iteration_tick(iteration_id=pk), robust=True)


@receiver(versions_needed, dispatch_uid="iterations.versions")
def on_cleaning(project: Project, **_: Any) -> set[int]:
    return versions_at_work(project)
