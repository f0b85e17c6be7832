"""Makes the project of a chaos run and starts its iteration: always the same rows in a fresh database."""

import json
import sys

import django


def main(sizes):
    django.setup()
    from loop.domains.arithmetic.generate import project_prompts
    from loop.recipe import recipe_named
    from webapp.iterations.management.commands.iteration_run import changed
    from webapp.iterations.services import iteration_start
    from webapp.projects.services import project_create, prompts_add

    project = project_create(name="Chaos", slug="chaos", base="seed", dialect="terse")
    prompts_add(project=project, records=project_prompts(sizes["train"], sizes["heldout"], sizes["probe"]))
    iteration_start(
        project=project,
        recipe=changed(recipe_named("rest-em"), sizes["set"]),
        seed=11,
        simulate_annotators=True,
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
