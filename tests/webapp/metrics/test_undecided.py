"""While people compare blindly, nothing on a dashboard tells whose answers they are reading."""

import pytest
from django.urls import reverse

from loop.evaluate.metric import Value
from loop.stages import Stage
from tests import factories as make
from webapp.metrics.models import Alarm
from webapp.metrics.services import values_write
from webapp.metrics.values import readings_of, turns_of
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def iteration():
    iteration = make.iteration_make(make.project_make(slug="here"), stage="promote", status="waiting")
    values = [Value("tokens_ratio", 1.4, (1.3, 1.5), 200), Value("samples_right", 0.5, (0.4, 0.6), 200)]
    values_write(iteration=iteration, stage=Stage.EVALUATE, values=values)
    Alarm.objects.create(
        project=iteration.project,
        iteration=iteration,
        key="length_hacking",
        level="bad",
        text="Answers of the challenger are 1.4 times as long.",
    )
    return iteration


def read(iteration):
    return set(readings_of(iteration.project, turns_of(iteration.project)))


def test_what_was_measured_for_the_gate_is_shown_once_it_has_decided(iteration):
    assert read(iteration) == {"samples_right"}
    iteration.stage = "done"
    iteration.save()
    assert read(iteration) == {"samples_right", "tokens_ratio"}


@pytest.mark.parametrize(("role", "seen"), [(Role.ANNOTATOR, False), (Role.LEAD, True)])
def test_an_alarm_over_the_challengers_answers_is_told_to_leads_alone(client, iteration, role, seen):
    client.force_login(make.member_make(iteration.project, role=role))
    pages = [
        reverse("project", args=["here"]),
        reverse("iteration", args=["here", 1]),
        reverse("alarms", args=["here"]),
        reverse("api:alarm_list", args=["here"]),
    ]
    for page in pages:
        assert ("1.4 times as long" in client.get(page).content.decode()) is seen, page
