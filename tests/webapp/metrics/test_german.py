"""Who reads German reads alarms and metrics in German, with its decimal comma."""

import pytest
from django.urls import reverse
from django.utils import translation

from loop.evaluate.alarms import RULES
from tests import factories as make
from tests.webapp.metrics.test_alarms import UNFILTERED, iteration_with
from webapp.metrics import measures
from webapp.metrics.alarms_page import alarms_of
from webapp.metrics.figures.details import details_of
from webapp.metrics.measures.accuracy import FEW_SAMPLES
from webapp.metrics.models import Alarm, MetricValue
from webapp.metrics.services import alarms_evaluate
from webapp.metrics.templatetags import numbers
from webapp.metrics.tracing.number import number_of
from webapp.metrics.values import title_of
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def iteration():
    """One that forgot, and whose filter was idle."""
    found = iteration_with(make.project_make(), UNFILTERED | {"forgetting": (0.06, 0.03, 0.09)})
    alarms_evaluate(iteration=found)
    return found


@pytest.fixture
def german(client, iteration):
    """A page as somebody who reads German gets it."""
    reader = make.member_make(iteration.project, role=Role.LEAD)
    reader.settings = {"language": "de"}
    reader.save()
    client.force_login(reader)

    def get(name, *more):
        return client.get(reverse(name, args=[iteration.project.slug, *more])).content.decode()

    return get


ALARM = (
    "Bei den Probe-Prompts liegt der Herausforderer 6,0 Punkte (95 % 3,0 bis 9,0) unter der besten früheren"
)
TO_DO = "Nachlesen, welche Probe-Prompts verloren gingen."


def english(iteration):
    """What the rules say in English, of any that fired or may."""
    said = [
        words for rule in RULES.values() for words in (f">{rule.title}", f" {rule.title} ", rule.what_to_do)
    ]
    return [*said, *(alarm.text for alarm in iteration.alarms.all())]


@pytest.mark.parametrize("name", ["alarms", "project", "iteration"])
def test_alarms_are_in_the_readers_language(german, iteration, name):
    shown = german(name, *([iteration.number] if name == "iteration" else []))
    assert ALARM in shown
    assert TO_DO in shown
    assert "Filter tut nichts" in shown
    assert [words for words in english(iteration) if words in shown] == []


def test_metrics_are_in_the_readers_language(german, iteration):
    shown = german("metrics")
    assert "Unter dem besten früheren Modell" in shown
    assert "Was der Filter bringt" in shown
    assert ">Verlernen</h3>" in shown
    titles = {m.title for m in measures.metrics().values() if iteration.metrics.filter(name=m.name).exists()}
    assert [title for title in titles if title in shown] == []
    assert "0,03 bis 0,09" in shown
    assert "Unter dem besten früheren Modell" in german("metric", "forgetting")


@pytest.mark.parametrize(
    ("reason", "german_reason"),
    [
        ("no row was accepted", "keine Zeile wurde angenommen"),
        (FEW_SAMPLES.format(k=4), "kein Prompt hat 4 gezogene Antworten mit diesem Score"),
        ("an earlier version said so", "an earlier version said so"),
    ],
)
def test_why_a_metric_is_not_defined(german, iteration, reason, german_reason):
    MetricValue.objects.create(
        project=iteration.project,
        iteration=iteration,
        name="kept_rate",
        value=None,
        detail={"reason": reason},
    )
    assert german_reason in german("metric", "kept_rate")
    with translation.override("de"):
        assert number_of(iteration, "kept_rate").reason == german_reason


def test_an_alarm_of_an_earlier_version_shows_its_sentence(iteration):
    Alarm.objects.filter(key="forgetting").update(facts={"limit": 0.02}, text="It forgot.")
    with translation.override("de"):
        row = next(row for row in alarms_of(iteration) if row.alarm.key == "forgetting")
        assert (row.title, row.text) == ("Verlernen", "It forgot.")


def test_what_is_kept_is_in_english(iteration):
    """It goes to notices, the API and the report, whoever's language was active when it was measured."""
    iteration.alarms.all().delete()
    with translation.override("de"):
        alarms_evaluate(iteration=iteration)
    text = iteration.alarms.get(key="forgetting").text
    assert text.startswith("On the probe prompts the challenger is 6.0 points (95 % 3.0 to 9.0) below")


def test_titles_of_values_and_figures():
    with translation.override("de"):
        assert (
            title_of("auroc:reward")
            == "Einer richtigen Antwort wird mehr vertraut als einer falschen, reward"
        )
        steps = {"steps": [["Prompts", 10], ["Right by the checker", 8], ["Trained rows", 4]]}
        (figure,) = details_of(MetricValue(name="funnel", value=4, detail=steps), 1)
        reasons = {"reasons": {"the same text as another row": 3, "said by nobody": 1}}
        (left_out,) = details_of(MetricValue(name="funnel", value=4, detail=reasons), 1)
    assert figure.title == "Aus 10 Prompts wurden 4 trainierte Zeilen"
    assert [row[0].text for row in figure.rows] == ["Prompts", "Richtig laut Prüfer", "Trainierte Zeilen"]
    assert figure.rows[1][2].text.endswith("%")  # a part of the step before it, in any language
    assert [row[0].text for row in left_out.rows] == ["derselbe Text wie eine andere Zeile", "said by nobody"]


def test_numbers_have_the_readers_decimal_mark_and_words():
    with translation.override("de"):
        assert numbers.written(0.614, "share") == "61,4\u202f%"
        assert numbers.written(1234.0, "tokens") == "1\u202f234 Tokens"
        assert numbers.written(2.31, "bits") == "2,31 Bits"
        assert numbers.written(1.5, "s") == "1,5 s"
        assert numbers.written_interval(0.593, 0.635, "share") == "59,3 bis 63,5"
        assert numbers.written_difference(0.6, 0.675, "share") == "+7,5 Punkte"
        assert numbers.written_difference(0.5, 0.5, "ratio") == "0,00"
        assert numbers.interval([-0.01, 0.108]) == "\u22121,0 bis 10,8"
        assert numbers.p_value(0.0004) == "p < 0,001"
        assert numbers.tick_text(-0.025, "points") == "\u22122,5"
        assert numbers.figure(0.12345) == "0,1235"
