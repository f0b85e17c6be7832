"""Every recipe file in the tree is valid, truthful about what it needs, and says how to run it."""

from pathlib import Path

import pytest
import yaml

from loop import recipe as recipe_module
from loop.recipe import (
    FOLDER,
    Recipe,
    RecipeError,
    method_named,
    recipe_load,
    recipe_named,
    recipe_parse,
    recipes,
)
from loop.records import RowKind

FILES = sorted(FOLDER.rglob("*.yaml"))


def test_there_are_recipes_and_the_loader_finds_them_all():
    assert len(FILES) >= 4
    assert set(recipes()) == {f.stem for f in FILES}
    assert {"rest-em", "self-refine", "self", "step-dpo"} <= set(recipes())


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_recipe_file(path: Path):
    text = path.read_text(encoding="utf-8")
    first = text.splitlines()[0]
    assert first.startswith("#"), "the first line is the command that runs it"
    assert f"--recipe {path.stem}" in first
    recipe = recipe_load(path)
    assert recipe_named(path.stem) == recipe
    assert recipe.paper.startswith("arXiv:")
    assert yaml.safe_load(text)["name"] == path.stem
    method_named(recipe.method).Settings.model_validate(recipe.settings)


@pytest.mark.parametrize("recipe", recipes().values(), ids=lambda r: r.name)
def test_a_recipe_says_truly_what_it_needs(recipe: Recipe):
    if recipe.curate.accept == "verifier":
        assert "verifier" in recipe.needs
        assert recipe.uses_gold_at == "data"
    if {RowKind.CRITIQUE, RowKind.CRITIQUE_PAIR, RowKind.REFINEMENT} & set(recipe.curate.rows):
        assert "people" in recipe.needs
        assert recipe.uses_gold_at == "data"  # D_meta is kept where it agrees with the checker
    if recipe.annotate.kind != "none" and recipe.annotate.take:
        assert recipe.feedback_source in ("people", "mixed")
    if recipe.finetune.objective in ("dpo", "kto", "nft"):
        assert recipe.finetune.start == "champion"  # the reference is what wrote the samples
    if recipe.finetune.objective == "nft":
        assert "logprobs" in recipe.needs
        assert (recipe.settings["temperature"], recipe.settings.get("top_k")) == (1.0, 0)
    if recipe.finetune.objective == "dpo":
        assert recipe.finetune.learning_rate <= 1e-4
        assert recipe.finetune.sft_weight > 0


MINIMAL = {
    "name": "x",
    "version": 1,
    "title": "X",
    "summary": "x",
    "method": "rest_em",
    "feedback_source": "verifier",
    "uses_gold_at": "data",
}


def test_defaults_fill_what_a_recipe_leaves_out():
    assert recipe_parse(MINIMAL, "here").curate.accept == "verifier"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"speling": 1}, "speling"),
        ({"finetune": {"lr": 1}}, "finetune.lr"),
        ({"settings": {"sample": 3}}, "sample"),
        ({"settings": {"samples": 0}}, "samples"),
        ({"method": "no_such"}, "no method called 'no_such'"),
        ({"finetune": {"objective": "dpo"}}, "dpo cannot train rows of sample"),
        ({"curate": {"rows": ["preference"]}}, "sft cannot train rows of preference"),
        ({"annotate": {"critiques": 2}}, "is for annotate.kind critique_review"),
        (
            {"finetune": {"objective": "dpo"}, "curate": {"rows": ["critique_pair"]}},
            "critique_review with critiques 2",
        ),
        ({"version": 0}, "version"),
        (
            {"finetune": {"beta": 0.5, "packing": True}},
            "finetune.beta: objective sft does not read this; leave it out",
        ),
        (
            {
                "finetune": {"objective": "grpo"},
                "curate": {"rows": ["prompt"], "weights": {"replayed": 0.5}},
            },
            "curate.weights: objective grpo does not read this",
        ),
        ({"needs": ["reward", "process_reward"]}, "an iteration has one scorer"),
        ({"curate": {"accept": "scorer"}, "uses_gold_at": "eval"}, "name reward or process_reward in needs"),
        (
            {"needs": ["reward"], "finetune": {"objective": "prm"}, "curate": {"rows": ["step_labels"]}},
            "can only use that kind of scorer",
        ),
        ({"uses_gold_at": "eval"}, "curate.accept verifier reads the checker"),
        ({"uses_gold_at": "never", "curate": {"accept": "people", "rows": ["critique"]}}, "refinement rows"),
        ({"uses_gold_at": "eval", "curate": {"accept": "self_verdict", "rows": ["trajectory"]}}, "step_pair"),
        ({"uses_gold_at": "eval", "curate": {"accept": "people"}}, "order convincing_wrong"),
        (
            {"uses_gold_at": "eval", "curate": {"accept": "people"}, "annotate": {"order": "hardest_tail"}},
            "order hardest_tail",
        ),
        ({"annotate": {"order": "hardest"}}, "annotate.order: Value error, no order called 'hardest'"),
    ],
)
def test_a_mistake_is_named(change, says):
    with pytest.raises(RecipeError, match=says.replace("'", ".")) as caught:
        recipe_parse({**MINIMAL, **change}, "x.yaml")
    assert says in str(caught.value)


@pytest.mark.parametrize("order", ["random", "uncertainty", "historical_variance"])
def test_an_order_that_reads_no_checker_asks_for_no_admission(order):
    part = {"uses_gold_at": "eval", "curate": {"accept": "people"}, "annotate": {"order": order}}
    assert recipe_parse({**MINIMAL, **part}, "here").annotate.order == order


def test_a_recipe_must_be_called_as_its_file(tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(MINIMAL), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"other\.yaml"):
        recipe_load(path)


@pytest.mark.parametrize("text", ["{", "- a\n- b", ""])
def test_a_file_that_is_no_recipe(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=r"x\.yaml"):
        recipe_load(path)


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(RecipeError, match="rest-em"):
        recipe_named("../rest-em")
    assert recipe_module.FOLDER.is_dir()
