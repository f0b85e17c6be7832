"""A past whose line goes from a click to a gain: answers, the examples made of them, the model trained."""

import uuid
from dataclasses import dataclass

from django.utils import timezone

from tests import factories as make
from tests.stories import Past, past_make
from tests.webapp.curate.support import example_make
from webapp.accounts.models import User
from webapp.annotate.models import Annotation, AnnotationTask
from webapp.annotate.services import annotation_revise, annotation_submit, assignment_claim
from webapp.curate.models import DatasetVersion, Example
from webapp.curate.services import dataset_freeze
from webapp.iterations.models import Iteration, WorkUnit
from webapp.metrics.models import MetricValue
from webapp.registry.models import ModelVersion

FIRST = {"marks": [-1, None, None], "first_error": 0, "verdict": "wrong"}
LAST = {
    "marks": [1, -1, None],
    "first_error": 1,
    "verdict": "wrong",
    "corrections": {"1": "4 + 1 = 5"},
    "comments": {"1": "One more makes five."},
}


@dataclass
class Traced:
    """Iteration 1 promoted v2, trained on dataset 1: 5 examples, 2 of them resting on ``answer`` of
    ``person`` (changed once), 1 on a simulated one, 2 on nobody's."""

    past: Past
    person: User
    answer: Annotation
    simulated: Annotation
    task: AnnotationTask
    examples: list[Example]
    dataset: DatasetVersion
    run: WorkUnit


def answered(task: AnnotationTask, user: User, payload: dict, **values: object) -> Annotation:
    claim = assignment_claim(user=user, project=task.project)
    assert claim.task_id == task.pk
    return annotation_submit(
        user=user, assignment_token=claim.token, submit_key=uuid.uuid4(), payload=payload, **values
    )


def traced_past(tasks: int = 0, **person: object) -> Traced:
    past = past_make(tasks=tasks)
    Iteration.objects.filter(pk=past.done.pk).update(stage="annotate")
    past.done.refresh_from_db()
    person = make.member_make(past.project, **{"username": "ana", **person})
    robot = make.member_make(past.project, username="robot", is_simulated=True)
    task = make.task_make(past.done, priority=9)
    answer = answered(task, person, FIRST, seconds=21.0, step_seconds={"0": 12.5, "1": 6.0})
    answer = annotation_revise(
        user=person, pk=answer.pk, payload=LAST, outcome="answered", revision=answer.revision
    )
    other = make.task_make(past.done, priority=8)
    simulated = answered(other, robot, LAST, seconds=1.0)
    pairs = [(task, answer, "trajectory"), (task, answer, "step_pair"), (other, simulated, "trajectory")]
    examples = []
    for about, behind, kind in pairs:
        example = example_make(
            past.done, about.prompt, kind=kind, response=about.response, accepted_by="people", writer="person"
        )
        example.annotations.add(behind)
        examples.append(example)
    examples += [example_make(past.done) for _ in range(2)]
    dataset = dataset_freeze(
        project=past.project,
        examples=examples,
        iteration_id=past.done.pk,
        manifest={"answered": 3, "simulated": 1, "replayed": 0},
    )
    ModelVersion.objects.filter(pk=past.better.pk).update(dataset_version=dataset)
    Iteration.objects.filter(pk=past.done.pk).update(stage="done", dataset_version=dataset)
    Iteration.objects.filter(pk=past.control.pk).update(dataset_version=dataset)
    past.done.refresh_from_db()
    run = WorkUnit.objects.get(iteration=past.done, kind="train")
    MetricValue.objects.create(
        project=past.project, iteration=past.done, name="heldout_gain", value=4 / 12, low=0.1, high=0.5, n=12,
        unit="points", created_at=timezone.now(),
    )  # fmt: skip
    return Traced(past, person, answer, simulated, task, examples, dataset, run)
