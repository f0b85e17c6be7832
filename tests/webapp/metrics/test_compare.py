"""Two iterations or recipes side by side: paired where they can be, said where they cannot."""

import pytest
from django.urls import reverse

from loop.evaluate.unpaired import mean_of
from tests import factories as make
from tests import stories
from webapp.metrics.compare_page import Gain, Recipe, chosen, recipe_gains, solved_by_both
from webapp.metrics.figures.compare import recipes_title
from webapp.metrics.models import PromptFigures
from webapp.metrics.values import Turn, turns_of


@pytest.fixture
def past(db):
    return stories.measured_past(prompts=6)


@pytest.fixture
def get(client, past):
    client.force_login(past.lead)
    return lambda query="": client.get(reverse("iterations_compare", args=[past.project.slug]) + query)


def test_solve_rates_are_paired_over_the_prompts_both_scored(past, django_assert_num_queries):
    turns = turns_of(past.project)
    PromptFigures.objects.filter(iteration=turns[0].pk, prompt=past.train[0]).update(scored=0)
    with django_assert_num_queries(1):
        paired = solved_by_both(turns[0], turns[4])  # of 8, prompt n has 2 + n % 3 right, then 6 + n % 3
    assert paired.n == 5
    assert paired.before == pytest.approx((3 + 4 + 2 + 3 + 4) / 5 / 8)
    assert paired.change.effect == pytest.approx(4 / 8)
    assert paired.change.ci95 == pytest.approx((0.5, 0.5))


def test_nothing_is_paired_without_shared_prompts(past, get):
    PromptFigures.objects.filter(iteration=past.iterations[0]).delete()
    turns = turns_of(past.project)
    assert solved_by_both(turns[0], turns[4]) is None
    html = get("?a=1&b=5").content.decode()
    assert "They share no scored prompt" in html
    assert "share no scored prompt: nothing is paired" in html


def test_iterations_side_by_side(get, django_assert_max_num_queries):
    get()
    with django_assert_max_num_queries(14):
        html = get("?what=iterations&a=1&b=5").content.decode()
    assert "Iteration 5 solves 50.0 points more of the 6 prompts than iteration 1" in html
    assert "paired, n 6" in html
    assert "not paired" in html
    assert "models/compare/?a=2&amp;b=6" in html
    assert "metric=pass_at_k&amp;iteration=1" in html


def test_by_default_the_last_two_main_iterations(get):
    html = get().content.decode()
    assert '<option value="5" selected>' in html
    assert '<option value="6" selected>' in html


def test_recipes_by_their_gains(past, get):
    recipe = recipe_gains(past.project, "rest-em", turns_of(past.project))
    assert [g.turn.number for g in recipe.gains] == [1, 2, 5, 6]  # the control is left out
    assert recipe.mean == pytest.approx((0.07 + 0.07 + 0.08 + 0.06) / 4)
    half = 3.182446 * (2 * 0.01**2 / 3) ** 0.5 / 2  # t(0.975, 3) s / sqrt(4)
    assert recipe.ci95 == pytest.approx((0.07 - half, 0.07 + half), abs=1e-6)
    html = get("?what=recipes&a=self&b=rest-em").content.decode()
    assert "Too few iterations to compare self (1) and rest-em (4): each needs 3" in html
    assert "mean of 4 iterations" in html


def test_a_recipe_without_gains_says_so(past, get):
    past.iterations[3].metrics.filter(name="heldout_gain").delete()
    html = get("?what=recipes").content.decode()
    assert "No gain was measured yet" in html


def test_models_have_a_page_of_their_own(past, get):
    response = get("?what=models&a=1&b=2")
    assert response.url == reverse("models_compare", args=[past.project.slug]) + "?a=1&b=2"


def test_nothing_to_compare(client, past):
    bare = make.project_make()
    client.force_login(make.member_make(bare))
    assert (
        "There is nothing to compare yet"
        in client.get(reverse("iterations_compare", args=[bare.slug])).content.decode()
    )
    assert client.get(reverse("iterations_compare", args=[past.project.slug])).status_code == 404


@pytest.mark.parametrize(
    ("options", "wanted", "pair"),
    [
        (["1"], {}, None),
        (["1", "2", "3"], {}, ("2", "3")),
        (["1", "2", "3"], {"b": "3"}, ("2", "3")),
        (["1", "2", "3"], {"a": "3"}, ("3", "2")),
        (["1", "2", "3"], {"b": "2"}, ("3", "2")),
        (["1", "2", "3"], {"a": "1", "b": "1"}, ("1", "1")),
        (["1", "2", "3"], {"a": "nine", "b": "1"}, ("2", "1")),
    ],
)
def test_which_two(options, wanted, pair):
    assert chosen(options, wanted, (-2, -1)) == pair


def test_the_figure_by_address(client, past):
    client.force_login(past.lead)
    address = reverse("figure", args=[past.project.slug, "compare", "csv"])
    rows = client.get(f"{address}?what=iterations&a=1&b=5").content.decode().splitlines()
    assert rows[0] == "Measure,Iteration 1,Iteration 5,Difference,Low (95 %),High (95 %),How"
    assert rows[1].startswith("Solve rate,")
    for bad in ("what=iterations&a=1&b=1", "what=iterations&a=1", "what=luck", "what=recipes&a=x&b=y"):
        assert client.get(f"{address}?{bad}").status_code == 404


def recipe_made(name, *values):
    turn = Turn(1, 1, True, name, "promoted", 0, None)
    return Recipe(name, [Gain(turn, value, (value, value)) for value in values], *mean_of(values))


@pytest.mark.parametrize(
    ("a", "b", "title"),
    [
        ((0.05, 0.06, 0.07), (0.09, 0.10, 0.11), "b gains 4.0 points more an iteration than a ("),
        ((0.05, 0.06, 0.07), (-0.05, -0.06, -0.07), "a gains 6.0 points an iteration and b loses"),
        ((-0.09, -0.10, -0.11), (-0.05, -0.06, -0.07), "b loses 4.0 points fewer an iteration than a ("),
        ((0.0, 0.2, 0.1), (0.2, 0.0, 0.16), "Their iterations do not tell a and b apart (difference "),
        ((0.05, 0.06), (0.2,), "Too few iterations to compare a (2) and b (1): each needs 3"),
        ((), (0.2,), None),
    ],
)  # fmt: skip
def test_recipes_are_told_apart_by_what_varies_between_iterations(a, b, title):
    before = recipe_made("a", *a) if a else Recipe("a", [], None, None)
    said = recipes_title(before, recipe_made("b", *b))
    assert said.startswith(title or "a and b: only one of them")
