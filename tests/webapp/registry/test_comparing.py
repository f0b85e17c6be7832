"""Two model versions on the same prompts: the counts by hand, the page, who may have them measured."""

import re

import pytest
from django.urls import reverse

from loop.evaluate.comparison import compare
from tests import factories as make
from tests.stories import measured, past_make
from webapp.iterations.models import WorkUnit
from webapp.projects.models import Role
from webapp.registry.comparing import counts_of, outcomes_shown, pairs_of
from webapp.registry.models import Evaluation, EvaluationOutcome
from webapp.registry.selectors import outcome_rows, outcomes_by_prompt
from webapp.registry.services import model_register

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def past(client):
    past = past_make(tasks=0)
    client.force_login(past.lead, backend=BACKEND)
    return past


@pytest.fixture
def pair(past):
    (pair,) = pairs_of(past.base, past.better, "heldout")
    return pair


def look(client, past, **query):
    return client.get(reverse("models_compare", args=[past.project.slug]), query)


def text_of(response):
    return re.sub(r"[ \n]+", " ", response.content.decode())


def test_counts_by_hand(pair):
    """The base has prompts 0 to 3 right, v2 has 0, 1 and 4 to 9: of 12, 6 gained, 2 lost."""
    counts = counts_of(pair)
    assert counts.shown == {"turned_right": 6, "turned_wrong": 2, "both_right": 2, "both_wrong": 2}
    assert (counts.paired, counts.left_out) == (12, 0)
    # two-sided: 2 * (C(8,0) + C(8,1) + C(8,2)) / 2^8 = 74 / 256
    assert counts.test.p_value == pytest.approx(74 / 256)
    assert counts.change.effect == pytest.approx(4 / 12)


def test_the_interval_is_the_gates(pair):
    """Of the same outcomes, in whatever order."""
    sides = [outcomes_by_prompt(outcome_rows(side)) for side in (pair.before, pair.after)]
    assert compare(*sides).ci95 == counts_of(pair).change.ci95


def test_what_one_side_has_no_verdict_on_is_left_out(past, pair):
    EvaluationOutcome.objects.filter(evaluation=pair.before, prompt=past.heldout[0]).update(verdict="error")
    counts = counts_of(pair)
    assert (counts.shown["both_right"], counts.left_out) == (1, 1)
    assert outcomes_shown(pair).count() == 12  # and still to be seen among all


def test_only_evaluations_on_the_same_prompts_pair(past):
    other = model_register(project=past.project, parent=past.base)
    measured(other, past.heldout[:4], [True] * 4)
    Evaluation.objects.filter(model_version=other).update(prompts_sha="another")
    assert pairs_of(past.base, other, "heldout") == []
    assert pairs_of(past.base, past.better, "probe") == []


def test_how_they_answer_by_themselves_comes_before_how_they_do_with_examples(client, past, pair):
    shown = [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}]
    for version in (past.base, past.better):
        Evaluation.objects.create(
            model_version=version,
            split="heldout",
            prompts_sha="shots",
            sampling={"shots": [shown]},
            n=12,
            done=True,
        )
    first, second = pairs_of(past.base, past.better, "heldout")
    assert (first, first.shots, second.shots) == (pair, 0, 1)
    assert "1 example in the prompt" in text_of(look(client, past))


def test_side_by_side_in_a_fixed_number_of_queries(client, past, django_assert_num_queries):
    with django_assert_num_queries(12):
        page = text_of(look(client, past, a=1, b=2, show="all"))
    assert page.count("<article") == 10  # of 12
    assert "33.3\u202f%</strong> → <strong>66.7\u202f%" in page
    assert "McNemar p = 0.289, n 12" in page
    assert "<mark>nonsense</mark>" in page
    assert f"<mark>{past.heldout[4].reference}</mark>" in page
    assert "list=" not in page
    assert "a=1&amp;b=2&amp;split=heldout&amp;show=all&amp;q=&amp;page=2" in page


def test_the_address_filters(client, past):
    wrong = look(client, past, a=1, b=2, show="turned_wrong")
    assert [both.after.prompt for both, *_ in wrong.context["rows"]] == past.heldout[2:4]
    found = look(client, past, a=1, b=2, show="turned_right", q="STORY 5")
    assert [both.after.prompt for both, *_ in found.context["rows"]] == [past.heldout[5]]
    nothing = text_of(look(client, past, a=1, b=2, q="<nowhere>"))
    assert "Nothing matches these words here." in nothing
    assert "<nowhere>" not in nothing
    swapped = look(client, past, a=2, b=1, show="turned_wrong")
    assert swapped.context["counts"].shown["turned_wrong"] == 6


def test_by_default_the_champion_with_what_it_came_from(client, past):
    page = look(client, past)
    assert (page.context["before"], page.context["after"]) == (past.base, past.better)


def test_odd_addresses_are_answered_in_words(client, past):
    assert "no such model version" in text_of(look(client, past, a=1, b=99))
    assert "the same version" in text_of(look(client, past, a=1, b=1))
    assert look(client, past, a="x", b="", split="train", show="no", page="no").status_code == 200
    assert look(client, past, a=1, b=2, q="\0").status_code == 200


def test_cost_is_shown_where_it_was_measured(client, past):
    assert "12.5" not in text_of(look(client, past, a=1, b=2))
    Evaluation.objects.filter(model_version=past.better).update(tokens=150, seconds=3.0)
    page = text_of(look(client, past, a=1, b=2))
    assert '<td class="num">12.5</td><td class="num">0.250</td>' in page


def test_never_measured_together_a_lead_may_have_it_done(client, past):
    other = model_register(project=past.project, parent=past.base)
    page = look(client, past, a=2, b=other.number)
    assert "were never measured on the same prompts" in text_of(page)
    query = {"a": 2, "b": other.number, "split": "heldout"}
    reply = client.post(reverse("models_measure", args=[past.project.slug]), query)
    assert reply["Location"].endswith(f"?a=2&b={other.number}&split=heldout")
    units = WorkUnit.objects.filter(kind="evaluate", iteration=None)
    assert {u.payload["version_id"] for u in units} == {past.better.pk, other.pk}
    assert all(u.payload["prompt_ids"] == [p.pk for p in past.heldout] for u in units)


def test_while_both_are_measured_the_page_says_so_and_looks_again(client, past):
    other = model_register(project=past.project, parent=past.base)
    query = {"a": 2, "b": other.number, "split": "heldout"}
    for _ in range(2):  # asked for twice, queued once
        client.post(reverse("models_measure", args=[past.project.slug]), query)
    units = WorkUnit.objects.filter(kind="evaluate", iteration=None)
    assert units.filter(payload__version_id=other.pk).count() == 1
    page = text_of(look(client, past, **query))
    assert "Both are being measured" in page
    assert f"of {units.count() * 12} answers" in page
    assert 'data-live="/events/' in page
    assert "base/live.js" in page
    assert "never measured" not in page
    address = reverse("models_compare", args=[past.project.slug])
    part = client.get(address, query, headers={"HX-Request": "true"})
    assert "<html" not in part.content.decode()
    assert "data-finished" not in part.content.decode()
    assert part["Cache-Control"] == "no-store"
    units.update(state="failed", error="EngineError: no room")
    part = client.get(address, query, headers={"HX-Request": "true"})
    assert "data-finished" in part.content.decode()
    page = text_of(look(client, past, **query))
    assert "EngineError: no room" in page
    assert "Measure both on the same prompts" in page
    client.post(reverse("models_measure", args=[past.project.slug]), query)
    assert units.filter(payload__version_id=other.pk).count() == 2
    assert "Both are being measured" in text_of(look(client, past, **query))


def test_whoever_sees_flips_sees_this_and_only_a_lead_measures(client, past):
    viewer = make.member_make(past.project, role=Role.VIEWER)
    client.force_login(viewer, backend=BACKEND)
    assert look(client, past, a=1, b=2).status_code == 200
    assert client.post(reverse("models_measure", args=[past.project.slug])).status_code == 403
    client.force_login(make.user_make(), backend=BACKEND)
    assert look(client, past).status_code == 404


def test_a_project_with_one_version_says_what_comes_first(client, past):
    bare = make.project_make()
    client.force_login(make.member_make(bare), backend=BACKEND)
    page = client.get(reverse("models_compare", args=[bare.slug]))
    assert "nothing to compare yet" in text_of(page)
