"""Make the demo project on first start, with its first iteration already running."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from loop.recipe import recipe_named
from webapp.demo.project import project_ensure
from webapp.iterations.services import iteration_start

FIRST_RECIPE = "rest-em"


class Command(BaseCommand):
    help = "Make the demo project and start its first iteration, unless they exist. Run by `./run up`."

    def handle(self, *args: Any, **options: Any) -> None:
        project, made = project_ensure()
        if made:
            iteration_start(project=project, recipe=recipe_named(FIRST_RECIPE), started_by=project.created_by)
            self.stdout.write(f"made {project} with its first iteration")
