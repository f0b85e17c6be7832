"""The model card: what is known is in it, what is not is said to be so, and the hub can read it."""

import pytest
import yaml
from django.urls import reverse

from tests import factories as make
from tests.stories import past_make
from webapp.projects.rich import rich
from webapp.registry.card import body, card, limits
from webapp.registry.facts import base_name, card_facts
from webapp.registry.models import ModelVersion
from webapp.registry.page import version_for
from webapp.registry.services import base_register

FACTS = {
    "name": "p-v3",
    "number": 3,
    "project": "Word problems",
    "role": "policy",
    "status_words": "in use",
    "base": "org/base-0.5B",
    "adapter": True,
    "note": "Better at **fractions**.",
    "recipe": "rest-em v1",
    "training": {
        "objective": "dpo",
        "rows": 12_000,
        "final_loss": 0.123456,
        "finetune": {"lora_rank": 16, "beta": 0.2, "packing": False, "group": 8},
        "versions": {"torch": "2"},
    },
    "lineage": [{"name": "p-v1"}, {"name": "p-v3", "recipe": "rest-em v1", "status": "in use"}],
    "dataset": {
        "number": 2,
        "sha256": "d" * 64,
        "rows": 12_000,
        "manifest": {"kinds": {"sample": 11_000, "step_pair": 1_000}, "prompts": 400, "ages": {"1": 5}},
        "people": {"people": 30, "simulated": 90},
    },
    "measurements": [
        {"model": "p-v3", "split": "heldout", "prompts_sha": "e" * 64, "value": 0.61, "low": 0.57,
         "high": 0.65, "of": 600, "errors": 2, "seconds": 60.0, "tokens": 48_000},
    ],
    "compared": [
        {"model": "p-v1", "split": "heldout", "prompts_sha": "e" * 64, "value": 0.5, "low": 0.46,
         "high": 0.54, "of": 600},
    ],
    "decision": {
        "promote": True, "effect": 0.11, "ci95": [0.07, 0.15], "n": 600, "reasons": ["the guards hold"],
        "turned_right": 90, "turned_wrong": 24, "baseline": {"accuracy": 0.55, "n": 600, "shots": 4},
        "slices_broken": [{"by": "tag", "name": "ratios", "before": 0.5, "after": 0.4, "n": 80}],
    },
    "domains": ["arithmetic"],
    "base_sha": "b" * 64,
}  # fmt: skip


def test_the_front_matter_is_what_the_hub_reads():
    _, front, text = card(FACTS).split("---\n", 2)
    read = yaml.safe_load(front)
    assert (read["base_model"], read["base_model_relation"]) == ("org/base-0.5B", "adapter")
    assert (read["library_name"], read["tags"]) == ("peft", ["whetstone", "lora", "dpo", "rest-em"])
    (index,) = read["model-index"]
    assert index["results"][0]["metrics"] == [{"type": "accuracy", "value": 0.61, "name": "answers right"}]
    assert index["results"][0]["dataset"]["name"] == "600 held-out prompts"
    assert text.strip().startswith("# p-v3")
    merged = yaml.safe_load(card(FACTS, merged=True).split("---\n")[1])
    assert (merged["base_model_relation"], merged["library_name"]) == ("finetune", "transformers")


@pytest.mark.parametrize(
    "line",
    [
        "Better at **fractions**.",
        "| p-v3 | rest-em v1 | in use |",
        "Dataset version 2: 12,000 rows from 400 prompts",
        "| step_pair | 1,000 |",
        "Answers by people in that iteration: 30; by programs that stand in for people: 90.",
        "| training loss, mean of the last 10 updates | 0.1235 |",
        "Settings: lora rank 16, beta 0.2.",
        "| p-v3 | held-out | 61.0 % | 57.0 to 65.0 % | 600 | 2 | 80 | 0.1 s |",
        "| p-v1 | held-out | 50.0 % | 46.0 to 54.0 % | 600 | 0 | – | – |",
        "Without training, with 4 worked examples before each question: 55.0 % of 600.",
        "The gate promoted it: +11.0 points against the champion on 600 prompts (95 % +7.0 to +15.0).",
        "- 75.0 % of the answers it learnt from were given by programs, not by people.",
        "- Worse than the champion on tag “ratios”: 50.0 % before, 40.0 % after (80 prompts).",
        "- 600 held-out prompts were used, so its share right is known to ± 4.0 points.",
        'model = PeftModel.from_pretrained(base, "FOLDER")',
    ],
)
def test_everything_known_is_in_it(line):
    assert line in body(FACTS)


def test_what_is_not_known_is_said():
    bare = {k: FACTS[k] for k in ("name", "role", "base", "project")} | {"imported": True, "adapter": True}
    text = body(bare)
    assert "what it was trained on is not known here" in text
    assert "It was not measured." in text
    assert "It was not measured on held-out prompts." in limits(bare)


def test_names_cannot_break_out_of_a_cell_and_notes_cannot_do_harm():
    odd = {**FACTS, "lineage": [{"name": "a|b\nc"}, {"name": "d"}], "note": "<script>alert(1)</script>"}
    assert "| a\\|b c |" in body(odd)
    assert "<script" not in rich(body(odd))


@pytest.mark.parametrize(
    ("base", "shown"),
    [("org/m", "org/m"), ("seed", "seed"), ("/srv/secret/m", "m"), ("openai+http://10.0.0.1:8000/v1#m", "m"),
     ("openai+http://10.0.0.1:8000/v1", "a served model")],
)  # fmt: skip
def test_a_card_tells_no_paths_and_no_addresses(base, shown):
    assert base_name(base) == shown


@pytest.mark.django_db
def test_facts_of_a_real_past(django_assert_max_num_queries):
    past = past_make(tasks=0)
    other = make.user_make(is_simulated=True)
    version = version_for(past.project, 2)
    with django_assert_max_num_queries(6):
        facts = card_facts(version)
    assert [m["model"] for m in facts["measurements"]] == [version.name]
    assert [m["model"] for m in facts["compared"]] == [past.base.name]
    assert facts["decision"]["promote"]
    assert [v["name"] for v in facts["lineage"]] == [past.base.name, version.name]
    assert facts["domains"] == ["arithmetic"]
    assert other.username not in card(facts)
    assert past.lead.username not in card(facts)
    held = ModelVersion.objects.get(project=past.project, number=4)
    assert "The gate promoted" not in card(card_facts(held))
    assert reverse("model", args=[past.project.slug, 4])


@pytest.mark.django_db
def test_a_bare_base_has_no_section_of_training_and_no_empty_table():
    project = make.project_make()
    base_register(project=project)
    text = body(card_facts(version_for(project, 1)))
    assert "## Limits" in text
    assert "Recipe and training" not in text
