from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person, or a program that stands in for one: the page always says which."""

    is_simulated = models.BooleanField(
        default=False, help_text="A program that answers in a person's place; its answers are marked as such."
    )

    settings = models.JSONField(
        default=dict, blank=True, help_text="keys, font, theme, motion, language; see accounts.comfort."
    )

    def __str__(self) -> str:
        return self.get_full_name() or self.username
