"""`project_create`: a new project from the command line."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.text import slugify

from webapp.accounts.models import User
from webapp.projects.services import ProjectError, project_create


class Command(BaseCommand):
    help = (
        "Create a project: a base model, later its prompts, guidelines and people. Without --base it uses "
        "the built-in seed model, which runs anywhere. Import prompts next: prompts_import."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
        parser.add_argument("--name", required=True, help="shown to people, e.g. 'Word problems'")
        parser.add_argument(
            "--slug", help="short name for addresses and commands; made from --name if left out"
        )
        parser.add_argument(
            "--base", help="Hugging Face folder or hub id, or openai+http://…; left out: the seed model"
        )
        parser.add_argument(
            "--dialect",
            choices=["chat", "terse"],
            help="how the model is addressed; left out: terse for the seed model, else chat",
        )
        parser.add_argument("--description", default="", help="one or two sentences")
        parser.add_argument("--admin", help="user name of an existing account that administers the project")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            project = project_create(
                name=options["name"],
                slug=options["slug"] or slugify(options["name"]),
                base=options["base"] or "seed",
                dialect=options["dialect"] or ("chat" if options["base"] else "terse"),
                description=options["description"],
                created_by=self._admin(options["admin"]),
            )
        except ProjectError as error:
            raise CommandError(f"No project was created: {error}", returncode=2) from error
        if options["json"]:
            answer = {key: getattr(project, key) for key in ("id", "slug", "name", "base", "dialect")}
            self.stdout.write(json.dumps(answer))
        else:
            self.stdout.write(f"Created project {project.name} ({project.slug}) on {project.base}.")

    def _admin(self, username: str | None) -> User | None:
        if username is None:
            return None
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(
                f"No project was created: there is no account called {username}. "
                "Make one with the command createsuperuser, or leave --admin out.",
                returncode=2,
            )
        return user
