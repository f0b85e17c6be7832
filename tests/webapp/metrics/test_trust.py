"""The ledger: who may see it, whose word is worth what, in words, at a fixed cost."""

import pytest
from django.urls import reverse

from loop.evaluate.trust import Answer, Kind
from tests import factories as make
from tests.webapp.metrics.ledger import ledger_make
from webapp.iterations.models import Iteration
from webapp.metrics.figures.trust import agreement_figure, powered_figure
from webapp.metrics.models import MetricValue
from webapp.metrics.trust_page import Ledger
from webapp.projects.models import Role

pytestmark = pytest.mark.django_db


def test_every_member_and_nobody_else(client):
    project = make.project_make()
    address = reverse("trust", args=[project.slug])
    client.force_login(make.user_make())
    assert client.get(address).status_code == 404
    for role in Role.values:
        client.force_login(make.member_make(project, role))
        assert "Nobody’s word was measured yet" in client.get(address).content.decode()


def test_whose_word_may_decide_alone_by_the_newest_main_iteration():
    entries = {(e.kind, e.source): e for e in Ledger.of(ledger_make().project).entries}
    answers = {key: entry.licence.answer for key, entry in entries.items()}
    assert answers == {
        (Kind.CRITIC, ""): Answer.YES,
        (Kind.JUDGE, ""): Answer.NO,
        (Kind.SCORER, "logprob"): Answer.YES,
        (Kind.CHECKER, ""): Answer.YES,
        (Kind.PEOPLE, ""): Answer.YES,
    }
    critic = entries[Kind.CRITIC, ""]
    assert critic.turn.number == 6
    assert critic.model
    tnr = next(m for m in critic.measures if m.name == "critic_tnr")
    assert (tnr.reading.value, tnr.limit, tnr.sign) == (0.6, "above 50.0\u202f%", "✓")  # not the control's


def test_what_an_earlier_model_did_licenses_nobody():
    """Iteration 6 has another champion than iteration 5."""
    past = ledger_make()
    MetricValue.objects.filter(name="critic_tnr", iteration=past.iterations[5]).delete()
    entry = critic_of(past.project)
    assert entry.licence.answer is Answer.UNKNOWN
    assert "was not measured" in entry.sentence
    assert [m.reading for m in entry.measures if m.name == "critic_tnr"] == [None]
    Iteration.objects.filter(pk=past.iterations[4].pk).update(champion=past.iterations[5].champion)
    entry = critic_of(past.project)  # measured on the fifth, of the same model
    assert [m.turn.number for m in entry.measures if m.name == "critic_tnr"] == [5]


def critic_of(project):
    return next(e for e in Ledger.of(project).entries if e.kind is Kind.CRITIC)


def test_two_judges_are_not_put_together():
    past = ledger_make()
    Iteration.objects.filter(pk=past.iterations[4].pk).update(champion=past.iterations[5].champion)
    own, reward = ({"judge": name} for name in ("model", "reward"))
    values = MetricValue.objects.filter(name__startswith="judge_")
    values.update(detail=own)
    values.filter(iteration=past.iterations[5], name="judge_flips").delete()
    values.filter(iteration=past.iterations[5]).update(detail=reward)
    entry = next(e for e in Ledger.of(past.project).entries if e.kind is Kind.JUDGE)
    assert (entry.model, entry.licence.answer) == ("reward", Answer.UNKNOWN)
    values.update(detail=own)
    entry = next(e for e in Ledger.of(past.project).entries if e.kind is Kind.JUDGE)
    assert (entry.model, entry.licence.answer) == (past.iterations[5].champion.name, Answer.NO)


def test_the_licence_in_words():
    judge = next(e for e in Ledger.of(ledger_make().project).entries if e.kind is Kind.JUDGE)
    assert judge.sentence.startswith("May not be trusted to filter alone, because “")
    assert judge.sentence.endswith("” is 24.0\u202f% (19.0 to 29.0) and must be below 15.0\u202f%.")
    MetricValue.objects.filter(name="judge_flips").update(n=12)
    judge = next(e for e in Ledger.of(judge_project()).entries if e.kind is Kind.JUDGE)
    assert "rests on 12, and at least 30 are needed" in judge.sentence
    assert judge.sentence.startswith("Not enough evidence")
    MetricValue.objects.filter(name="judge_flips").update(n=150, low=None, high=None)
    judge = next(e for e in Ledger.of(judge_project()).entries if e.kind is Kind.JUDGE)
    assert "rests on too few prompts" in judge.sentence


def judge_project():
    return MetricValue.objects.first().project


def test_three_estimates_of_one_rate():
    past = ledger_make()
    figure = powered_figure(past.project, {"name": "ppi_right", "iteration": "6"})
    assert (
        figure.title == "Samples that are right: 55.0\u202f%; the checker alone flatters, it says 62.0\u202f%"
    )
    assert [row[0].text for row in figure.rows] == ["Naive (checker)", "People alone", "Together (PPI++)"]
    assert [cell.raw for cell in figure.rows[1][1:]] == [0.53, 0.44, 0.62, 120]
    naive = figure.rows[0]
    assert naive[2].raw < 0.62 < naive[3].raw
    assert naive[3].raw - naive[2].raw < 0.04  # narrow, and beside the truth
    assert powered_figure(past.project, {"name": "ppi_right", "iteration": "3"}) is None
    assert powered_figure(past.project, {"name": "samples_right", "iteration": "6"}) is None


def test_agreement_by_iteration_leaves_the_control_out():
    figure = agreement_figure(ledger_make().project, {})
    assert [row[0].text for row in figure.rows] == ["6", "5", "4", "2", "1"]
    assert [line.name for line in figure.chart.lines] == ["critic", "judge", "checker"]
    assert agreement_figure(make.project_make(), {}) is None


def test_the_page_at_a_fixed_cost(client, django_assert_max_num_queries):
    past = ledger_make()
    client.force_login(make.member_make(past.project, Role.VIEWER))
    with django_assert_max_num_queries(12):
        page = client.get(reverse("trust", args=[past.project.slug]))
    text = page.content.decode()
    for said in ("may not filter alone", "prediction-powered inference", "logprob", "Must be"):
        assert said in text
    for key, query in (("trust-ppi", "?name=ppi_right&iteration=6"), ("trust-agreement", "")):
        address = reverse("figure", args=[past.project.slug, key, "svg"]) + query
        assert client.get(address).status_code == 200
