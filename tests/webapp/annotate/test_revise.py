"""Changing one's own answer while the iteration collects; every version is kept."""

import pytest

from loop.stages import Stage
from tests import factories as make
from webapp.annotate import services
from webapp.annotate.errors import AnnotateConflict
from webapp.annotate.models import Annotation
from webapp.projects.models import Role
from webapp.traces.models import Critique

RIGHT = {"marks": [1, 1, 1], "verdict": "right"}


@pytest.fixture
def made(project, iteration, person, submit):
    make.task_make(iteration)
    return submit(services.assignment_claim(user=person, project=project))


def revise(made, user=None, **values):
    values = {"payload": RIGHT, "outcome": "answered", "revision": 1, **values}
    return services.annotation_revise(user=user or made.user, pk=made.pk, **values)


def test_history_and_critique_follow(made):
    changed = revise(made)
    assert [r.payload["marks"] for r in changed.revisions.all()] == [[1, -1, None], [1, 1, 1]]
    critique = Critique.objects.get()
    assert (critique.marks, critique.first_error, critique.verdict) == ([1, 1, 1], None, "right")


def test_saving_the_same_again_makes_no_version(made):
    revise(made)
    assert revise(made, revision=2).revision == 2


def test_setting_aside_takes_the_critique_back(made):
    revise(made, outcome="bad_problem", payload={"reason": "no question"})
    assert Critique.objects.count() == 0


def test_a_stale_writer_is_told(made):
    revise(made)
    with pytest.raises(AnnotateConflict, match="changed meanwhile"):
        revise(made, payload={"marks": [0, 1, 1], "verdict": "right"})


def test_too_late_once_the_iteration_went_on(made, iteration):
    iteration.stage = Stage.CURATE.value
    iteration.save()
    with pytest.raises(AnnotateConflict, match="gone on"):
        revise(made)


def test_not_by_others_not_even_leads(made, project):
    lead = make.member_make(project, Role.LEAD)
    with pytest.raises(Annotation.DoesNotExist):
        revise(made, user=lead)
