"""An alarm is news: told once to those who asked, with its numbers and what to do."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone, translation

from tests import factories as make
from webapp.iterations.models import Iteration
from webapp.iterations.signals import decided
from webapp.metrics.models import MetricValue
from webapp.metrics.services import alarms_evaluate
from webapp.notices.models import Channel, Delivery, Event
from webapp.notices.services import deliveries_send

pytestmark = pytest.mark.django_db


@pytest.fixture
def iteration():
    project = make.project_make(slug="words", name="Words")
    for target, event in (("a@example.org", Event.ALARM), ("b@example.org", Event.FAILED)):
        Channel.objects.create(project=project, kind="email", target=target, events=[event.value])
    iteration = make.iteration_make(project)
    MetricValue.objects.create(
        project=project, iteration=iteration, name="forgetting", value=0.06, low=0.03, high=0.09, n=300
    )
    return iteration


def test_it_is_told_once_with_the_page_where_it_is_dealt_with(iteration, settings):
    with translation.override("de"):  # notices are in English, whoever's language is active
        for _ in range(2):
            alarms_evaluate(iteration=iteration)
    told = Delivery.objects.get()
    assert (told.event, told.channel.target) == ("alarm", "a@example.org")
    assert told.payload["title"] == "Words: Iteration 1: alarm “forgetting”"
    assert "6.0 points (95 % 3.0 to 9.0) below the best" in told.payload["text"]
    assert "Read which probe prompts were lost." in told.payload["text"]
    assert told.payload["alarm"]["limit"] == 0.02
    settings.PUBLIC_URL = "https://whetstone.example.org"
    deliveries_send()
    assert "https://whetstone.example.org/projects/words/alarms/" in mail.outbox[0].body


def test_what_is_found_in_an_old_iteration_wakes_nobody(iteration):
    iteration.finished_at = timezone.now() - timedelta(days=2)
    iteration.save(update_fields=["finished_at"])
    assert alarms_evaluate(iteration=iteration)
    assert not Delivery.objects.exists()


def test_what_would_tell_whose_answers_are_compared_blindly_waits_for_the_decision(iteration):
    """Accepting what is wrong is known before anything is compared; forgetting tells of the challenger."""
    iteration.recipe = {"gate": {"blind_pairs": 20}, "curate": {"accept": "self_verdict"}}
    iteration.stage = "evaluate"
    iteration.save()
    for name in ("kept_gain", "gv_gap:self_verdict"):
        MetricValue.objects.create(
            project=iteration.project, iteration=iteration, name=name, value=-0.1, low=-0.2, high=-0.05, n=300
        )
    assert len(alarms_evaluate(iteration=iteration)) == 3
    assert told() == {"reward_hacking", "gap_negative"}
    iteration.decision = {"promote": True, "reasons": []}
    for _ in range(2):
        decided.send(sender=Iteration, iteration=iteration)
    assert told() == {"reward_hacking", "gap_negative", "forgetting"}
    assert Delivery.objects.filter(event="alarm").count() == 3


def told():
    return {row.payload["alarm"]["key"] for row in Delivery.objects.filter(event="alarm")}
